/** For analysts: one learner's sums, and the scores of each conversation. Words of learners are not shown. */

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useParams } from "react-router";
import { ApiError, api, body, type Schemas } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { Button, ErrorMessage, Loading, PageTitle, styles as ui } from "../../ui/ui";
import { Charts, Sums } from "../progress/progress";
import styles from "./analyst.module.css";

const PAGE = 20;

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
      <Conversations learnerId={learnerId} />
    </>
  );
}

function Conversations({ learnerId }: { readonly learnerId: string }) {
  const { t } = useI18n();
  const conversations = useInfiniteQuery({
    queryKey: ["learner-conversations", learnerId],
    initialPageParam: "",
    queryFn: ({ pageParam }) => {
      const query = { limit: PAGE, ...(pageParam === "" ? {} : { cursor: pageParam }) };
      return body(() => api.GET("/api/learners/{id}/conversations", { params: { path: { id: learnerId }, query } }));
    },
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  });
  const items = conversations.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section aria-labelledby="conversations">
      <h2 id="conversations">{t("progress.history")}</h2>
      <ErrorMessage error={conversations.error} retry={() => void conversations.refetch()} />
      <ul className={styles.conversations}>
        {items.map((conversation) => (
          <li key={conversation.conversationId}>
            <Conversation learnerId={learnerId} conversation={conversation} />
          </li>
        ))}
      </ul>
      {conversations.hasNextPage && (
        <Button disabled={conversations.isFetchingNextPage} onClick={() => void conversations.fetchNextPage()}>
          {t("progress.more")}
        </Button>
      )}
    </section>
  );
}

function Conversation(props: { readonly learnerId: string; readonly conversation: Schemas["ConversationSummary"] }) {
  const { t, intl } = useI18n();
  const { conversationId, imageId, level, startedAt, timeZone } = props.conversation;
  const scores = useQuery({
    queryKey: ["learner-scores", props.learnerId, conversationId],
    queryFn: async () => {
      const path = { id: props.learnerId, conversation: conversationId };
      try {
        return await body(() =>
          api.GET("/api/learners/{id}/conversations/{conversation}/assessment", { params: { path } }),
        );
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },
  });
  const view = scores.data;
  return (
    <article className={ui.panel}>
      <h3 lang="en">{imageId}</h3>
      <p className={ui.hint}>
        {intl.formatDate(startedAt, { dateStyle: "medium", timeStyle: "short", timeZone })} · {level}
      </p>
      <ErrorMessage error={scores.error} />
      {view === null && <p>{t("learner.noScores")}</p>}
      {view !== null && view !== undefined && (
        <dl className={styles.scores} aria-label={t("learner.scores")}>
          {(["overall", "fluency", "vocabulary", "grammar", "relevance"] as const).map((skill) => (
            <div key={skill}>
              <dt>{t(`result.${skill}`)}</dt>
              <dd>{view[skill]}</dd>
            </div>
          ))}
          <div>
            <dt>CEFR</dt>
            <dd>{view.cefr}</dd>
          </div>
        </dl>
      )}
      {view?.flags !== undefined && view.flags.length > 0 && (
        <p className={ui.banner}>
          {t("learner.flags", { flags: view.flags.map((flag) => t(`flag.${flag}`)).join(", ") })}
        </p>
      )}
    </article>
  );
}
