/** For operators: what is wrong first, then queues, workers, alarms and alerts, live. Actions stay in the command line. */

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import { Link, useNavigate } from "react-router";
import { api, body, type Schemas } from "../../api/client";
import { follow } from "../../api/results";
import { useConfig } from "../../api/config";
import { useI18n } from "../../i18n/i18n";
import { Button, ErrorMessage, Field, PageTitle, styles as ui } from "../../ui/ui";
import styles from "./operator.module.css";
import { NOTHING, problems, queueState, received, type Lists, type Problem } from "./problems";
import { Sparkline } from "./sparkline";

/** Samples come once a minute. */
const SAMPLES_MS = 60_000;
const ALERTS_PAGE = 20;

export function Operation() {
  const { t, intl } = useI18n();
  const { lists, updatedAt, lost } = useOperations();
  const config = useConfig();
  return (
    <>
      <div className={styles.head}>
        <PageTitle>{t("ops.title")}</PageTitle>
        <p className={ui.hint}>
          {updatedAt !== null && t("ops.live", { time: intl.formatTime(updatedAt, { timeStyle: "medium" }) })}
          {config !== undefined && ` · ${config.stage} ${config.version}`}
        </p>
      </div>
      {lost && <p className={ui.banner}>{t("ops.lost")}</p>}
      <Problems lists={lists} />
      <QueueTable lists={lists} />
      <WorkerTable workers={lists.workers} />
      <AlarmList alarms={lists.alarms} />
      <Alerts latest={lists.alerts?.[0]?.alertId} />
      <Find />
    </>
  );
}

/** The lists of the stream. The service ends a stream after some minutes, and it is opened again. */
function useOperations(): { lists: Lists; updatedAt: Date | null; lost: boolean } {
  const [lists, setLists] = useState(NOTHING);
  const [updatedAt, setUpdatedAt] = useState<Date | null>(null);
  const [lost, setLost] = useState(false);
  useEffect(() => {
    const abort = new AbortController();
    const handle = (event: Schemas["OpsEvent"]): boolean => {
      setLists((before) => received(before, event));
      setUpdatedAt(new Date());
      return false;
    };
    void follow<Schemas["OpsEvent"]>("/api/ops/events", handle, abort.signal).then(() =>
      setLost(!abort.signal.aborted),
    );
    return () => abort.abort();
  }, []);
  return { lists, updatedAt, lost };
}

function Problems({ lists }: { readonly lists: Lists }) {
  const { t } = useI18n();
  const found = problems(lists);
  const known = lists.alarms !== undefined && lists.workers !== undefined && lists.queues !== undefined;
  return (
    <section aria-labelledby="problems">
      <h2 id="problems">{t("ops.problems")}</h2>
      <div role="status" className={styles.problems}>
        {!known && <p>{t("app.loading")}</p>}
        {known && found.length === 0 && <p className={`${ui.panel} ${styles.good}`}>{t("ops.nothingWrong")}</p>}
        {found.map((problem) => (
          <ProblemPanel key={`${problem.kind} ${problem.subject}`} problem={problem} />
        ))}
      </div>
    </section>
  );
}

function ProblemPanel({ problem }: { readonly problem: Problem }) {
  const { t } = useI18n();
  const { kind, subject, severity, summary, since, count, runbook, command } = problem;
  return (
    <article className={`${ui.panel} ${styles.problem}`} data-severity={severity}>
      <h3>
        <span className={styles.badge} data-severity={severity}>
          {t(`ops.severity.${severity}`)}
        </span>{" "}
        {t(`ops.problem.${kind}`, { subject, count: count ?? 0 })}
      </h3>
      {summary !== undefined && <p lang="en">{summary}</p>}
      {since !== undefined && (
        <p className={ui.hint}>
          <Since at={since} />
        </p>
      )}
      <p>
        {t("ops.begin")} <code>{command}</code>
      </p>
      {runbook !== undefined && (
        <p className={ui.hint}>
          {t("ops.runbook")}{" "}
          <span lang="en">
            infra/runbooks/{runbook.page}, “{runbook.heading}”
          </span>
        </p>
      )}
    </article>
  );
}

/** Since when, as a time and how long ago; kept up to date. */
function Since({ at }: { readonly at: string }) {
  const { t, intl } = useI18n();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  const minutes = Math.max(0, Math.floor((now - Date.parse(at)) / 60_000));
  return (
    <time dateTime={at}>
      {t("ops.since", { time: intl.formatDate(at, { dateStyle: "medium", timeStyle: "short" }), minutes })}
    </time>
  );
}

function QueueTable({ lists }: { readonly lists: Lists }) {
  const { t, intl } = useI18n();
  const samples = useQuery({
    queryKey: ["ops-queues"],
    queryFn: () => body(() => api.GET("/api/ops/queues")),
    refetchInterval: SAMPLES_MS,
  });
  const samplesOf = (queue: string) => samples.data?.items.find((item) => item.queue === queue)?.samples ?? [];
  const number = (value: number | undefined): string => (value === undefined ? "–" : intl.formatNumber(value));
  return (
    <Table
      title={t("ops.queues")}
      columns={["queue", "state", "waiting", "oldest", "inFlight", "deadLetters", "lastHour"]}
    >
      {(lists.queues?.items ?? []).map((queue) => {
        const state = queueState(queue.queue, lists);
        return (
          <tr key={queue.queue}>
            <th scope="row">{queue.queue}</th>
            <td>
              <span className={styles.badge} data-state={state}>
                {t(`ops.state.${state}`)}
              </span>
            </td>
            <td className={styles.number}>{number(queue.waiting)}</td>
            <td className={styles.number}>{queue.oldestSeconds ? age(queue.oldestSeconds, intl) : "–"}</td>
            <td className={styles.number}>{number(queue.inFlight)}</td>
            <td className={styles.number}>{number(queue.deadLetters)}</td>
            <td>
              <Sparkline samples={samplesOf(queue.queue)} />
            </td>
          </tr>
        );
      })}
    </Table>
  );
}

const SECONDS = { style: "unit", unit: "second", unitDisplay: "short" } as const;
/** Longer ages are shown in minutes. */
const SECONDS_MAX = 120;

function age(seconds: number, intl: ReturnType<typeof useI18n>["intl"]): string {
  if (seconds < SECONDS_MAX) return intl.formatNumber(seconds, SECONDS);
  return intl.formatNumber(Math.floor(seconds / 60), { ...SECONDS, unit: "minute" });
}

function WorkerTable({ workers }: { readonly workers: Schemas["Workers"] | undefined }) {
  const { t, intl } = useI18n();
  return (
    <Table title={t("ops.workers")} columns={["service", "state", "processes", "handles", "perMinute", "p95"]}>
      {(workers?.items ?? []).map((worker) => (
        <tr key={worker.service}>
          <th scope="row">{worker.service}</th>
          <td>
            <span className={styles.badge} data-state={worker.state === "running" ? "fine" : "alarm"}>
              {t(`ops.condition.${worker.state}`)}
            </span>
          </td>
          <td className={styles.number}>{intl.formatNumber(worker.processes)}</td>
          <td className={styles.number}>{intl.formatNumber(worker.inFlight)}</td>
          <td className={styles.number}>{intl.formatNumber(worker.perMinute, { maximumFractionDigits: 1 })}</td>
          <td className={styles.number}>
            {worker.p95Ms === undefined || worker.p95Ms === null
              ? "–"
              : intl.formatNumber(worker.p95Ms, { ...SECONDS, unit: "millisecond", maximumFractionDigits: 0 })}
          </td>
        </tr>
      ))}
    </Table>
  );
}

type Column =
  | "queue"
  | "state"
  | "waiting"
  | "oldest"
  | "inFlight"
  | "deadLetters"
  | "lastHour"
  | "service"
  | "processes"
  | "handles"
  | "perMinute"
  | "p95";
const WORDS: readonly Column[] = ["queue", "state", "service", "lastHour"];

function Table(props: { readonly title: string; readonly columns: readonly Column[]; readonly children: ReactNode }) {
  const { t } = useI18n();
  return (
    <section className={ui.panel}>
      <h2>{props.title}</h2>
      <div className={styles.scroll} tabIndex={0} role="region" aria-label={props.title}>
        <table className={styles.table}>
          <thead>
            <tr>
              {props.columns.map((column) => (
                <th key={column} scope="col" className={WORDS.includes(column) ? "" : styles.number}>
                  {t(`ops.column.${column}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>{props.children}</tbody>
        </table>
      </div>
    </section>
  );
}

function AlarmList({ alarms }: { readonly alarms: Schemas["Alarms"] | undefined }) {
  const { t } = useI18n();
  const items = alarms?.items ?? [];
  const raised = items.filter((alarm) => alarm.state === "alarm").length;
  return (
    <details className={ui.panel}>
      <summary>{t("ops.alarms", { count: items.length, raised })}</summary>
      <ul className={styles.alarms}>
        {items.map((alarm) => (
          <li key={alarm.name}>
            <span className={styles.badge} data-state={alarm.state === "ok" ? "fine" : alarm.state}>
              {t(`ops.alarm.${alarm.state}`)}
            </span>{" "}
            <strong>{alarm.name}</strong> <span lang="en">{alarm.summary}</span>
            <p className={ui.hint} lang="en">
              {alarm.reason}
            </p>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Alerts({ latest }: { readonly latest: string | undefined }) {
  const { t, intl } = useI18n();
  const alerts = useInfiniteQuery({
    // A new alert in the stream reads the list again.
    queryKey: ["ops-alerts", latest],
    initialPageParam: "",
    queryFn: ({ pageParam }) => {
      const query = { limit: ALERTS_PAGE, ...(pageParam === "" ? {} : { cursor: pageParam }) };
      return body(() => api.GET("/api/ops/alerts", { params: { query } }));
    },
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    placeholderData: (before) => before,
  });
  const items = alerts.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section className={ui.panel} aria-labelledby="alerts">
      <h2 id="alerts">{t("ops.alerts")}</h2>
      <ErrorMessage error={alerts.error} retry={() => void alerts.refetch()} />
      {alerts.isSuccess && items.length === 0 && <p className={ui.hint}>{t("ops.noAlerts")}</p>}
      <ol className={styles.alerts}>
        {items.map((alert) => (
          <li key={`${alert.alertId} ${alert.at}`}>
            <time dateTime={alert.at}>{intl.formatDate(alert.at, { dateStyle: "short", timeStyle: "short" })}</time>{" "}
            <span lang="en">{alert.title}</span>
            {alert.conversationId && (
              <>
                {" "}
                <Link to={`/operation/${alert.conversationId}`}>{t("ops.showPath")}</Link>
              </>
            )}
          </li>
        ))}
      </ol>
      {alerts.hasNextPage && (
        <Button disabled={alerts.isFetchingNextPage} onClick={() => void alerts.fetchNextPage()}>
          {t("learners.more")}
        </Button>
      )}
    </section>
  );
}

function Find() {
  const { t } = useI18n();
  const navigate = useNavigate();
  const [id, setId] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void navigate(`/operation/${encodeURIComponent(id.trim())}`);
  };
  return (
    <form className={`${ui.panel} ${ui.form}`} aria-labelledby="find" onSubmit={submit}>
      <h2 id="find">{t("ops.find")}</h2>
      <Field label={t("ops.conversationId")} value={id} required onChange={(event) => setId(event.target.value)} />
      <Button type="submit">{t("ops.showPath")}</Button>
    </form>
  );
}
