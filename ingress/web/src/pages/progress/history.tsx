/** The conversations with filters, and the first and the latest about one picture side by side. */

import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, body, type Schemas } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { Button, ErrorMessage, Field, Select, styles as ui } from "../../ui/ui";
import { usePictures } from "../gallery/gallery";
import styles from "./progress.module.css";

type Item = Schemas["HistoryItem"];
type Scored = Item & { readonly scores: Schemas["HistoryScores"] };

const PAGE = 20;
const VALUES = ["overall", "fluency", "vocabulary", "grammar", "relevance"] as const;
const NO_FILTERS = { text: "", imageId: "", from: "", to: "" };
type Filters = typeof NO_FILTERS;

/** The query parameters of the filters that are set. */
function query(filters: Filters): Partial<Filters> {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value.trim() !== ""));
}

export function History() {
  const { t } = useI18n();
  const [filters, setFilters] = useState(NO_FILTERS);
  const set = query(filters);
  const history = useInfiniteQuery({
    queryKey: ["conversations", "history", set],
    initialPageParam: "",
    queryFn: ({ pageParam }) => {
      const params = { query: { ...set, limit: PAGE, ...(pageParam === "" ? {} : { cursor: pageParam }) } };
      return body(() => api.GET("/api/conversations", { params }));
    },
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    placeholderData: keepPreviousData,
  });
  const items = history.data?.pages.flatMap((page) => page.items) ?? [];
  const isFiltered = Object.keys(set).length > 0;
  return (
    <section aria-labelledby="history">
      <h2 id="history">{t("progress.history")}</h2>
      <FilterForm filters={filters} change={setFilters} />
      <ErrorMessage error={history.error} retry={() => void history.refetch()} />
      <p role="status" className={ui.hint}>
        {history.isSuccess && items.length === 0 && t(isFiltered ? "progress.noMatch" : "progress.empty")}
      </p>
      {filters.imageId !== "" && <SideBySide items={items} />}
      <ul className={styles.history}>
        {items.map((conversation) => (
          <li key={conversation.conversationId}>
            <Conversation conversation={conversation} />
          </li>
        ))}
      </ul>
      {history.hasNextPage && (
        <Button disabled={history.isFetchingNextPage} onClick={() => void history.fetchNextPage()}>
          {t("progress.more")}
        </Button>
      )}
    </section>
  );
}

function FilterForm({ filters, change }: { readonly filters: Filters; readonly change: (filters: Filters) => void }) {
  const { t } = useI18n();
  const pictures = usePictures();
  const options = [
    { value: "", label: t("progress.allPictures") },
    ...(pictures.data?.items ?? []).map(({ imageId, title }) => ({ value: imageId, label: title })),
  ];
  return (
    <form className={styles.filters} role="search" onSubmit={(event) => event.preventDefault()}>
      <Field
        label={t("progress.search")}
        type="search"
        value={filters.text}
        onChange={(event) => change({ ...filters, text: event.target.value })}
      />
      <Select
        label={t("progress.picture")}
        value={filters.imageId}
        options={options}
        onChange={(imageId) => change({ ...filters, imageId })}
      />
      <Field
        label={t("progress.from")}
        type="date"
        value={filters.from}
        onChange={(event) => change({ ...filters, from: event.target.value })}
      />
      <Field
        label={t("progress.to")}
        type="date"
        value={filters.to}
        onChange={(event) => change({ ...filters, to: event.target.value })}
      />
    </form>
  );
}

function Conversation({ conversation }: { readonly conversation: Item }) {
  const { t, intl } = useI18n();
  const { conversationId, title, imageId, startedAt, timeZone, level, scores, stage } = conversation;
  return (
    <Link to={`/result/${conversationId}`}>
      <span lang="en">{title ?? imageId}</span>
      <span className={ui.hint}>
        {intl.formatDate(startedAt, { dateStyle: "medium", timeStyle: "short", timeZone })} · {level} ·{" "}
        {scores
          ? t("progress.scores", { overall: scores.overall, cefr: scores.cefr })
          : t(stage === "live" ? "progress.live" : "progress.notAssessed")}
      </span>
    </Link>
  );
}

/** The first and the latest assessed conversation about the picture, of those that are loaded. */
function SideBySide({ items }: { readonly items: readonly Item[] }) {
  const { t, intl } = useI18n();
  const scored = items.filter((item): item is Scored => item.scores !== null && item.scores !== undefined);
  const [latest, first] = [scored[0], scored.at(-1)];
  if (latest === undefined || first === undefined || latest === first) return null;
  const date = ({ startedAt, timeZone }: Item): string =>
    intl.formatDate(startedAt, { dateStyle: "medium", timeStyle: "short", timeZone });
  return (
    <div className={ui.panel}>
      <table className={styles.compared}>
        <caption>{t("progress.sideBySide")}</caption>
        <thead>
          <tr>
            <td />
            {[first, latest].map((item) => (
              <th key={item.conversationId} scope="col">
                <Link to={`/result/${item.conversationId}`}>{date(item)}</Link>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {VALUES.map((value) => (
            <tr key={value}>
              <th scope="row">{t(`result.${value}`)}</th>
              <td>{first.scores[value]}</td>
              <td>{latest.scores[value]}</td>
            </tr>
          ))}
          <tr>
            <th scope="row">CEFR</th>
            <td>{first.scores.cefr}</td>
            <td>{latest.scores.cefr}</td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}
