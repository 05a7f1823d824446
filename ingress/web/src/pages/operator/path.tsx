/** For operators: the path of one conversation through the pipeline, with the time of each stage. It shows no words. */

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { api, body, type Schemas } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { ErrorMessage, Loading, PageTitle, styles as ui } from "../../ui/ui";
import styles from "./operator.module.css";

/** How often an incomplete path is read again. */
const AGAIN_MS = 2000;

export function ConversationPath() {
  const { conversationId = "" } = useParams();
  const { t, intl } = useI18n();
  const path = useQuery({
    queryKey: ["ops-path", conversationId],
    queryFn: () => body(() => api.GET("/api/ops/conversations/{id}", { params: { path: { id: conversationId } } })),
    refetchInterval: ({ state }) => (state.data === undefined || state.data.state === "complete" ? false : AGAIN_MS),
  });
  const found = path.data;
  return (
    <>
      <PageTitle>{t("ops.path")}</PageTitle>
      <p>
        <code>{conversationId}</code>
      </p>
      <ErrorMessage error={path.error} retry={() => void path.refetch()} />
      {path.isPending && <Loading />}
      {found !== undefined && (
        <>
          <p role="status">
            {t(`ops.path.${found.state}`)} · <span lang="en">{found.imageId}</span> ·{" "}
            {intl.formatDate(found.startedAt, { dateStyle: "medium", timeStyle: "medium" })}
          </p>
          <ol className={`${ui.panel} ${styles.path}`}>
            {found.stages.map((stage) => (
              <Stage key={stage.stage} stage={stage} />
            ))}
          </ol>
          {found.state === "stalled" && (
            <p>
              {t("ops.begin")} <code>nova ops conversation {conversationId}</code>
            </p>
          )}
        </>
      )}
      <p>
        <Link to="/operation">{t("app.back")}</Link>
      </p>
    </>
  );
}

function Stage({ stage }: { readonly stage: Schemas["StageReport"] }) {
  const { t, intl } = useI18n();
  const { status, at, tookMs, overdueSince } = stage;
  const state = overdueSince ? "alarm" : status === "passed" || status === "notNeeded" ? "fine" : "unknown";
  return (
    <li>
      <strong>{t(`ops.stage.${stage.stage}`)}</strong>{" "}
      <span className={styles.badge} data-state={state}>
        {overdueSince ? t("ops.overdue") : t(`ops.stageStatus.${status}`)}
      </span>{" "}
      {at && <time dateTime={at}>{intl.formatTime(at, { timeStyle: "medium" })}</time>}
      {typeof tookMs === "number" && (
        <span className={ui.hint}>
          {" "}
          {t("ops.took", { seconds: intl.formatNumber(tookMs / 1000, { maximumFractionDigits: 1 }) })}
        </span>
      )}
    </li>
  );
}
