/** For analysts: all learners with filters, sorted, as CSV; sums, flags, and the results of all learners as they arrive. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useState, type FormEvent } from "react";
import { Link } from "react-router";
import { api, body, type Schemas } from "../../api/client";
import { useConfig } from "../../api/config";
import { follow } from "../../api/results";
import { useI18n } from "../../i18n/i18n";
import { Button, ErrorMessage, Field, Loading, PageTitle, Select, styles as ui } from "../../ui/ui";
import styles from "./analyst.module.css";
import { Flagged, Flags, Overview, save } from "./overview";

const PAGE = 50;
/** The latest results that are shown. */
const FEED_MAX = 20;
type Level = Schemas["Level"];
const SORTS = ["activity", "speech", "overall", "conversations"] as const;
type Sort = (typeof SORTS)[number];
type Order = "asc" | "desc";

interface Filters {
  readonly name: string;
  readonly level: Level | "";
  readonly activeSince: string;
  readonly sort: Sort;
  readonly order: Order;
}

const FILTERS: Filters = { name: "", level: "", activeSince: "", sort: "activity", order: "desc" };

/** The query parameters of the filters that are set. A filter by activity sorts by it. */
function query({ name, level, activeSince, sort, order }: Filters) {
  return {
    ...(name.trim() === "" ? {} : { name: name.trim() }),
    ...(level === "" ? {} : { level }),
    ...(activeSince === "" ? { sort } : { activeSince: new Date(activeSince).toISOString() }),
    order,
  };
}

export function Learners() {
  const { t } = useI18n();
  const [filters, setFilters] = useState<Filters>(FILTERS);
  return (
    <>
      <PageTitle>{t("learners.title")}</PageTitle>
      <Flagged />
      <Feed />
      <FilterForm apply={setFilters} />
      <Table filters={filters} />
      <Overview />
    </>
  );
}

function FilterForm({ apply }: { readonly apply: (filters: Filters) => void }) {
  const { t } = useI18n();
  const [filters, setFilters] = useState<Filters>(FILTERS);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    apply(filters);
  };
  const levels = [
    { value: "" as const, label: t("learners.anyLevel") },
    ...(useConfig()?.levels ?? []).map((value) => ({ value, label: value })),
  ];
  return (
    <form className={styles.filters} aria-label={t("learners.filters")} onSubmit={submit}>
      <Field
        label={t("learners.name")}
        value={filters.name}
        onChange={(e) => setFilters({ ...filters, name: e.target.value })}
      />
      <Select<Level | "">
        label={t("field.level")}
        value={filters.level}
        options={levels}
        onChange={(level) => setFilters({ ...filters, level })}
      />
      <Field
        label={t("learners.activeSince")}
        type="date"
        value={filters.activeSince}
        onChange={(e) => setFilters({ ...filters, activeSince: e.target.value })}
      />
      <Select<Sort>
        label={t("learners.sort")}
        value={filters.activeSince === "" ? filters.sort : "activity"}
        options={SORTS.map((value) => ({ value, label: t(`learners.sort.${value}`) }))}
        onChange={(sort) => setFilters({ ...filters, sort })}
      />
      <Select<Order>
        label={t("learners.order")}
        value={filters.order}
        options={(["desc", "asc"] as const).map((value) => ({ value, label: t(`learners.order.${value}`) }))}
        onChange={(order) => setFilters({ ...filters, order })}
      />
      <Button type="submit" kind="primary">
        {t("learners.apply")}
      </Button>
    </form>
  );
}

function Table({ filters }: { readonly filters: Filters }) {
  const { t, intl } = useI18n();
  const [error, setError] = useState<unknown>(null);
  const learners = useInfiniteQuery({
    queryKey: ["learners", filters],
    initialPageParam: "",
    queryFn: async ({ pageParam }) => {
      const params = { query: { ...query(filters), limit: PAGE, ...(pageParam === "" ? {} : { cursor: pageParam }) } };
      const page = await body(() => api.GET("/api/learners", { params }));
      if (typeof page === "string") throw new TypeError("the list of learners came as CSV");
      return page;
    },
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  });
  const download = async (): Promise<void> => {
    try {
      const csv = await body(() =>
        api.GET("/api/learners.csv", { params: { query: query(filters) }, parseAs: "text" }),
      );
      save(csv, "learners.csv");
    } catch (failure) {
      setError(failure);
    }
  };
  const items = learners.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section aria-label={t("learners.title")}>
      <ErrorMessage error={learners.error ?? error} retry={() => void learners.refetch()} />
      {learners.isPending && <Loading />}
      {learners.isSuccess && items.length === 0 && <p>{t("learners.empty")}</p>}
      {items.length > 0 && (
        <div className={styles.scroll} tabIndex={0} role="region" aria-label={t("learners.title")}>
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">{t("field.name")}</th>
                <th scope="col">{t("field.level")}</th>
                <th scope="col">{t("learners.count")}</th>
                <th scope="col">{t("progress.minutes")}</th>
                <th scope="col">{t("learners.overall")}</th>
                <th scope="col">{t("learners.lastDay")}</th>
              </tr>
            </thead>
            <tbody>
              {items.map((learner) => (
                <tr key={learner.userId}>
                  <th scope="row">
                    <Link to={`/learners/${learner.userId}`}>{learner.name}</Link>
                  </th>
                  <td>{learner.level}</td>
                  <td>{intl.formatNumber(learner.total.conversations)}</td>
                  <td>{intl.formatNumber(learner.total.learnerSpeechMs / 60_000, { maximumFractionDigits: 1 })}</td>
                  <td>{overall(learner.total, intl)}</td>
                  <td>{learner.total.streak.lastDay ?? "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div className={ui.row}>
        {learners.hasNextPage && (
          <Button disabled={learners.isFetchingNextPage} onClick={() => void learners.fetchNextPage()}>
            {t("learners.more")}
          </Button>
        )}
        <Button onClick={() => void download()}>{t("learners.csv")}</Button>
      </div>
    </section>
  );
}

export function overall(total: Schemas["Total"], intl: ReturnType<typeof useI18n>["intl"]): string {
  const mean = total.scores?.overall;
  return mean === undefined ? "–" : intl.formatNumber(mean, { maximumFractionDigits: 0 });
}

function Feed() {
  const { t, intl } = useI18n();
  const [results, setResults] = useState<readonly Schemas["LearnerResult"][]>([]);
  const [lost, setLost] = useState(false);
  useEffect(() => {
    const abort = new AbortController();
    const end = follow<Schemas["FeedEvent"]>(
      "/api/results",
      ({ data: result }) => {
        setResults((past) => [result, ...past].slice(0, FEED_MAX));
        return false;
      },
      abort.signal,
    );
    void end.then(() => setLost(!abort.signal.aborted));
    return () => abort.abort();
  }, []);
  return (
    <section className={ui.panel} aria-labelledby="feed">
      <h2 id="feed">{t("learners.feed")}</h2>
      {lost && <p className={ui.banner}>{t("learners.feedLost")}</p>}
      {results.length === 0 && <p className={ui.hint}>{t("learners.feedEmpty")}</p>}
      <ol className={styles.feed} aria-live="polite">
        {results.map((result) => (
          <li key={`${result.userId} ${result.at}`}>
            <time dateTime={result.at}>{intl.formatTime(result.at, { timeStyle: "medium" })}</time>{" "}
            <Link to={`/learners/${result.userId}`}>{result.name}</Link>{" "}
            {t("gallery.talks", { count: result.total.conversations })}
            {result.scored !== null && result.scored !== undefined && (
              <>
                {" "}
                · {t("result.overall")} {result.scored.overall} · {result.scored.cefr}{" "}
                {result.scored.flags.length > 0 && <Flags flags={result.scored.flags} />}
              </>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
