/** The browsers in which the learner is signed in: end one, all others, or all. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, body, type Schemas } from "../../api/client";
import { signedOut } from "../../api/session";
import { useI18n } from "../../i18n/i18n";
import { Button, ErrorMessage, Loading, styles as ui } from "../../ui/ui";
import styles from "./account.module.css";

type Session = Schemas["SessionView"];

export function Sessions() {
  const { t } = useI18n();
  const queries = useQueryClient();
  const [status, setStatus] = useState("");
  const [error, setError] = useState<unknown>(null);
  const sessions = useQuery({ queryKey: ["sessions"], queryFn: () => body(() => api.GET("/api/me/sessions")) });
  const items = sessions.data?.items ?? [];
  const act = async (request: () => Promise<unknown>, done: string): Promise<void> => {
    setError(null);
    setStatus("");
    try {
      await request();
      setStatus(done);
    } catch (failure) {
      setError(failure);
    }
    await queries.invalidateQueries({ queryKey: ["sessions"] });
  };
  const endOne = ({ id }: Session): Promise<void> =>
    act(() => body(() => api.DELETE("/api/me/sessions/{id}", { params: { path: { id } } })), t("sessions.ended"));
  const endOthers = (): Promise<void> =>
    act(() => body(() => api.DELETE("/api/me/sessions")), t("sessions.othersEnded"));
  const leave = (request: () => Promise<unknown>): void => {
    request().then(signedOut).catch(setError);
  };
  const here = (): Promise<unknown> =>
    body(() => api.POST("/auth/sign-out", { params: { header: { "x-nova-csrf": "1" } } }));
  const everywhere = (): Promise<unknown> => body(() => api.POST("/auth/sign-out-everywhere"));
  return (
    <section className={ui.form} aria-labelledby="sessions">
      <h2 id="sessions">{t("sessions.title")}</h2>
      <ErrorMessage error={sessions.error ?? error} retry={() => void sessions.refetch()} />
      {sessions.isPending && <Loading />}
      <ul className={styles.sessions}>
        {items.map((session) => (
          <Item key={session.id} session={session} end={() => void endOne(session)} />
        ))}
      </ul>
      <p role="status">{status}</p>
      <div className={ui.row}>
        <Button onClick={() => leave(here)}>{t("account.signOut")}</Button>
        {items.length > 1 && <Button onClick={() => void endOthers()}>{t("sessions.endOthers")}</Button>}
        <Button onClick={() => leave(everywhere)}>{t("account.signOutEverywhere")}</Button>
      </div>
    </section>
  );
}

function Item({ session, end }: { readonly session: Session; readonly end: () => void }) {
  const { t, intl } = useI18n();
  const { family, system } = session.browser;
  const device = t("sessions.device", { family: t(`browser.${family}`), system: t(`system.${system}`) });
  const date = (at: string): string => intl.formatDate(at, { dateStyle: "medium", timeStyle: "short" });
  return (
    <li>
      <div>
        <strong>{device}</strong> {session.current && <span className={ui.chip}>{t("sessions.current")}</span>}
        <p className={ui.hint}>
          {t("sessions.times", { started: date(session.startedAt), used: date(session.usedAt) })}
        </p>
      </div>
      {!session.current && (
        <Button aria-label={`${t("sessions.end")}: ${device}`} onClick={end}>
          {t("sessions.end")}
        </Button>
      )}
    </li>
  );
}
