/** For analysts: all learners at once. Sums by level, picture and week, and the flagged conversations. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, body, type Schemas } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { Button, ErrorMessage, Select, styles as ui } from "../../ui/ui";
import styles from "./analyst.module.css";

const PAGE = 20;
const GROUPS = ["week", "level", "picture"] as const;
type Group = (typeof GROUPS)[number];

export function Overview() {
  const { t, intl } = useI18n();
  const [by, setBy] = useState<Group>("week");
  const sums = useInfiniteQuery({
    queryKey: ["overview", by],
    initialPageParam: "",
    queryFn: ({ pageParam }) => {
      const query = { by, limit: PAGE, ...(pageParam === "" ? {} : { cursor: pageParam }) };
      return body(() => api.GET("/api/overview", { params: { query } }));
    },
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  });
  const items = sums.data?.pages.flatMap((page) => page.items) ?? [];
  const whole = (value: number | null | undefined): string =>
    value === null || value === undefined ? "–" : intl.formatNumber(value, { maximumFractionDigits: 0 });
  return (
    <section aria-labelledby="overview">
      <h2 id="overview">{t("overview.title")}</h2>
      <Select<Group>
        label={t("overview.by")}
        value={by}
        options={GROUPS.map((value) => ({ value, label: t(`overview.${value}`) }))}
        onChange={setBy}
      />
      <ErrorMessage error={sums.error} retry={() => void sums.refetch()} />
      {sums.isSuccess && items.length === 0 && <p className={ui.hint}>{t("overview.empty")}</p>}
      {items.length > 0 && (
        <div className={styles.scroll} tabIndex={0} role="region" aria-label={t("overview.title")}>
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">{t(`overview.${by}`)}</th>
                <th scope="col">{t("learners.count")}</th>
                <th scope="col">{t("progress.minutes")}</th>
                <th scope="col">{t("overview.assessed")}</th>
                <th scope="col">{t("learners.overall")}</th>
                <th scope="col">{t("overview.wordsPerMinute")}</th>
              </tr>
            </thead>
            <tbody>
              {items.map((group) => (
                <tr key={group.key}>
                  <th scope="row">{group.key}</th>
                  <td>{whole(group.conversations)}</td>
                  <td>{whole(group.learnerSpeechMs / 60_000)}</td>
                  <td>{whole(group.scored)}</td>
                  <td>{whole(group.scores?.overall)}</td>
                  <td>{whole(group.wordsPerMinute)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {sums.hasNextPage && (
        <Button disabled={sums.isFetchingNextPage} onClick={() => void sums.fetchNextPage()}>
          {t("learners.more")}
        </Button>
      )}
    </section>
  );
}

export function Flagged() {
  const { t, intl } = useI18n();
  const flagged = useInfiniteQuery({
    queryKey: ["flagged"],
    initialPageParam: "",
    queryFn: ({ pageParam }) => {
      const query = { limit: PAGE, ...(pageParam === "" ? {} : { cursor: pageParam }) };
      return body(() => api.GET("/api/flagged", { params: { query } }));
    },
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  });
  const items = flagged.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section className={ui.panel} aria-labelledby="flagged">
      <h2 id="flagged">{t("flagged.title")}</h2>
      <ErrorMessage error={flagged.error} retry={() => void flagged.refetch()} />
      {flagged.isSuccess && items.length === 0 && <p className={ui.hint}>{t("flagged.empty")}</p>}
      <ol className={styles.feed}>
        {items.map((item) => (
          <li key={item.conversationId}>
            <time dateTime={item.startedAt}>
              {intl.formatDate(item.startedAt, { dateStyle: "medium", timeStyle: "short" })}
            </time>{" "}
            <Link to={`/learners/${item.learnerId}`}>{item.name}</Link> · <span lang="en">{item.imageId}</span> ·{" "}
            {t("result.overall")} {item.overall} · <Flags flags={item.flags} />
          </li>
        ))}
      </ol>
      {flagged.hasNextPage && (
        <Button disabled={flagged.isFetchingNextPage} onClick={() => void flagged.fetchNextPage()}>
          {t("learners.more")}
        </Button>
      )}
    </section>
  );
}

export function Flags({ flags }: { readonly flags: readonly Schemas["Flag"][] }) {
  const { t } = useI18n();
  return <strong>{t("learner.flags", { flags: flags.map((flag) => t(`flag.${flag}`)).join(", ") })}</strong>;
}

/** Saves a table that the service returned. */
export function save(csv: string, name: string): void {
  const url = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}
