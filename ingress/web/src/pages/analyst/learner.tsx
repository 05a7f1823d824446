/** For analysts: one learner's sums, and the scores of each conversation. Words of learners are not shown. */

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useParams } from "react-router";
import { api, body } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { Button, ErrorMessage, Loading, PageTitle, styles as ui } from "../../ui/ui";
import { Charts, Sums } from "../progress/progress";
import styles from "./analyst.module.css";
import { save } from "./overview";

const PAGE = 20;
const SKILLS = ["overall", "fluency", "vocabulary", "grammar", "relevance"] as const;

export function Learner() {
  const { learnerId = "" } = useParams();
  const { t } = useI18n();
  const path = { id: learnerId };
  const learner = useQuery({
    queryKey: ["learner", learnerId],
    queryFn: () => body(() => api.GET("/api/learners/{id}", { params: { path } })),
  });
  const progress = useQuery({
    queryKey: ["learner-progress", learnerId],
    queryFn: () => body(() => api.GET("/api/learners/{id}/progress", { params: { path } })),
  });
  if (learner.isPending) return <Loading />;
  return (
    <>
      <PageTitle>{learner.data?.name ?? t("learners.title")}</PageTitle>
      <ErrorMessage error={learner.error ?? progress.error} retry={() => void learner.refetch()} />
      {learner.data !== undefined && (
        <p>{t("learner.lead", { level: learner.data.level, timeZone: learner.data.timeZone })}</p>
      )}
      {progress.data !== undefined && typeof progress.data !== "string" && (
        <>
          <Sums total={progress.data.total} />
          <Charts days={progress.data.days} to={progress.data.to} />
        </>
      )}
      <Scores learnerId={learnerId} />
    </>
  );
}

function Scores({ learnerId }: { readonly learnerId: string }) {
  const { t, intl } = useI18n();
  const [error, setError] = useState<unknown>(null);
  const path = { id: learnerId };
  const scores = useInfiniteQuery({
    queryKey: ["learner-scores", learnerId],
    initialPageParam: "",
    queryFn: async ({ pageParam }) => {
      const query = { limit: PAGE, ...(pageParam === "" ? {} : { cursor: pageParam }) };
      const page = await body(() => api.GET("/api/learners/{id}/scores", { params: { path, query } }));
      if (typeof page === "string") throw new TypeError("the scores came as CSV");
      return page;
    },
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  });
  const download = async (): Promise<void> => {
    try {
      save(
        await body(() => api.GET("/api/learners/{id}/scores.csv", { params: { path }, parseAs: "text" })),
        "scores.csv",
      );
    } catch (failure) {
      setError(failure);
    }
  };
  const items = scores.data?.pages.flatMap((page) => page.items) ?? [];
  const number = (value: number | null | undefined): string =>
    value === null || value === undefined ? "–" : intl.formatNumber(value, { maximumFractionDigits: 0 });
  return (
    <section aria-labelledby="scores">
      <h2 id="scores">{t("learner.scores")}</h2>
      <ErrorMessage error={scores.error ?? error} retry={() => void scores.refetch()} />
      {scores.isSuccess && items.length === 0 && <p className={ui.hint}>{t("learner.noScores")}</p>}
      {items.length > 0 && (
        <div className={styles.scroll} tabIndex={0} role="region" aria-label={t("learner.scores")}>
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">{t("progress.date")}</th>
                <th scope="col">{t("overview.picture")}</th>
                {SKILLS.map((skill) => (
                  <th scope="col" key={skill}>
                    {t(`result.${skill}`)}
                  </th>
                ))}
                <th scope="col">CEFR</th>
                <th scope="col">{t("overview.wordsPerMinute")}</th>
                <th scope="col">{t("flagged.title")}</th>
              </tr>
            </thead>
            <tbody>
              {items.map((item) => (
                <tr key={item.conversationId}>
                  <th scope="row">{intl.formatDate(item.startedAt, { dateStyle: "medium", timeStyle: "short" })}</th>
                  <td lang="en">{item.imageId}</td>
                  {SKILLS.map((skill) => (
                    <td key={skill}>{number(item[skill])}</td>
                  ))}
                  <td>{item.cefr}</td>
                  <td>{number(item.wordsPerMinute)}</td>
                  <td>{item.flags.map((flag) => t(`flag.${flag}`)).join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div className={ui.row}>
        {scores.hasNextPage && (
          <Button disabled={scores.isFetchingNextPage} onClick={() => void scores.fetchNextPage()}>
            {t("progress.more")}
          </Button>
        )}
        <Button onClick={() => void download()}>{t("learners.csv")}</Button>
      </div>
    </section>
  );
}
