/** The live conversation: the picture with who speaks, the captions, and the bar with microphone and keyboard. */

import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Schemas } from "../../api/client";
import type { Turn } from "../../api/generated/server-message";
import { isMessage, useI18n } from "../../i18n/i18n";
import type { LiveSession } from "../../live/session";
import type { SoundSettings } from "../../live/settings";
import { speaker, tutorDraft, type LiveState, type Notice } from "../../live/state";
import { saidWords } from "../../live/vocabulary";
import { useVoices } from "../../live/voices";
import { Button, PageTitle, Simulated, styles as ui } from "../../ui/ui";
import { Bar } from "./bar";
import { Stage, type Picture } from "./talk";
import styles from "./talk.module.css";

/** Notices that end by themselves. */
const LASTING = new Set<Notice["type"]>(["reconnecting", "modelReconnecting", "microphoneSwitching"]);

interface LiveProps {
  readonly session: LiveSession;
  readonly picture: Picture;
  readonly level: Schemas["Level"];
  readonly settings: SoundSettings;
  readonly typing: boolean;
  readonly leave: () => void;
  readonly onSettings: (settings: SoundSettings) => void;
}

export function Live(props: LiveProps) {
  const { session, picture } = props;
  const { t, intl } = useI18n();
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  const [ending, setEnding] = useState(false);
  const who = speaker(state);
  const over = state.phase === "ended" || state.phase === "failed";
  const voices = useVoices();
  const voice = (voices.find((known) => known.value === props.settings.voice) ?? voices[0])?.label ?? "";
  const end = (): void => {
    setEnding(true);
    session.end();
  };
  return (
    <main className={`${styles.page} ${styles.live}`}>
      <header className={styles.heading}>
        <div>
          <PageTitle>{picture.title}</PageTitle>
          <p className={styles.with}>
            {t("talk.withVoice", { level: props.level, voice })} {state.simulated === true && <Simulated />}
          </p>
        </div>
        <div className={ui.row}>
          <Elapsed running={!over} endsAt={state.endsAt} />
          {!over && (
            <Button disabled={ending} onClick={end}>
              {t(ending ? "talk.ending" : "talk.end")}
            </Button>
          )}
        </div>
      </header>
      <Notices session={session} state={state} />
      {!over && state.endingAt !== null && (
        <p role="status">{t("talk.endingSoon", { time: intl.formatTime(state.endingAt) })}</p>
      )}
      <div className={styles.picture}>
        <Stage picture={picture} state={over ? "over" : who} />
        {!over && (
          <p className={styles.speaker} data-speaker={who}>
            <span className={styles.wave} aria-hidden="true" />
            {t(`talk.state.${who}`)}
          </p>
        )}
      </div>
      <Objectives picture={picture} turns={state.turns} met={state.objectivesMet} />
      <Captions state={state} />
      {over ? <Over state={state} leave={props.leave} /> : <Bar {...props} state={state} />}
      <Announcer state={state} />
    </main>
  );
}

function Over({ state, leave }: { readonly state: LiveState; readonly leave: () => void }) {
  const { t } = useI18n();
  const failure = state.failure === null ? null : [`live.${state.failure}`, `problem.${state.failure}`].find(isMessage);
  const text = state.endReason !== null ? t(`end.${state.endReason}`) : t(failure ?? "problem.unexpected");
  return (
    <div className={`${styles.bar} ${styles.over}`} role="status">
      <p>{text}</p>
      <Button kind="primary" autoFocus onClick={leave}>
        {t("end.toResult")}
      </Button>
    </div>
  );
}

function Notices({ session, state }: { readonly session: LiveSession; readonly state: LiveState }) {
  const { t, intl } = useI18n();
  const text = (notice: Notice): string => {
    switch (notice.type) {
      case "error":
        return t(`live.${notice.code}`);
      case "kept":
      case "lost":
        return t(`notice.${notice.type}`, { seconds: intl.formatNumber(notice.seconds, { maximumFractionDigits: 1 }) });
      default:
        return t(`notice.${notice.type}`);
    }
  };
  const lasting = state.notice !== null && LASTING.has(state.notice.type);
  return (
    <div role="alert" className={styles.notices}>
      {state.notice !== null && (
        <div className={`${ui.banner} ${ui.row}`}>
          <p>{text(state.notice)}</p>
          {state.notice.type === "microphoneLost" && (
            <Button onClick={() => void session.replaceMicrophone()}>{t("app.retry")}</Button>
          )}
          {!lasting && (
            <Button kind="link" onClick={() => session.dismissNotice()}>
              {t("app.close")}
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

interface ObjectivesProps {
  readonly picture: Picture;
  readonly turns: readonly Turn[];
  readonly met: readonly string[];
}

function Objectives({ picture, turns, met }: ObjectivesProps) {
  const { t, language } = useI18n();
  const said = saidWords(
    picture.vocabulary,
    turns.filter((turn) => turn.speaker === "learner").map((turn) => turn.text),
  );
  return (
    <details className={styles.words} open={window.matchMedia("(min-width: 60rem)").matches}>
      <summary>
        {t("talk.words")} ({said.size}/{picture.vocabulary.length})
      </summary>
      <ul lang="en" className={ui.row}>
        {picture.vocabulary.map((word) => (
          <li key={word} className={ui.chip} data-met={said.has(word) ? "" : undefined}>
            {said.has(word) && <span aria-hidden="true">✓</span>}
            {word}
          </li>
        ))}
      </ul>
      <h3>{t("picture.objectives")}</h3>
      <ul lang="en" className={styles.list}>
        {picture.objectives.map((objective) => (
          <li key={objective} data-met={met.includes(objective) ? "" : undefined}>
            {objective}
            {met.includes(objective) && <strong lang={language}> ✓ {t("talk.objectiveMet")}</strong>}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Captions({ state }: { readonly state: LiveState }) {
  const { t } = useI18n();
  const end = useRef<HTMLDivElement>(null);
  const draft = tutorDraft(state);
  // Newer browsers return a promise here, which is no clean-up function.
  useEffect(() => {
    void end.current?.scrollIntoView({ block: "nearest" });
  }, [state.turns.length, state.learnerDraft, draft.heard]);
  return (
    <div className={styles.captions} role="log" aria-live="off" aria-label={t("talk.captions")} tabIndex={0} lang="en">
      {state.turns.map((turn) => (
        <p key={turn.index} className={styles.bubble} data-speaker={turn.speaker}>
          <span className="hidden">{t(turn.speaker === "learner" ? "talk.you" : "talk.tutor")}: </span>
          {turn.text}
          {turn.speaker === "tutor" && turn.interrupted && (
            <span className={styles.cut}> ({t("talk.interruptedHere")})</span>
          )}
        </p>
      ))}
      {draft.heard + draft.planned !== "" && (
        <p className={styles.bubble} data-speaker="tutor">
          {draft.heard}
          <span className={styles.planned}>{draft.planned}</span>
        </p>
      )}
      {(state.learnerDraft !== "" || state.speaking) && (
        <p className={styles.bubble} data-speaker="learner" data-draft="">
          {state.learnerDraft === "" ? "…" : state.learnerDraft}
        </p>
      )}
      <div ref={end} />
    </div>
  );
}

/** Finished turns for screen readers, but not over the tutor's voice. */
function Announcer({ state }: { readonly state: LiveState }) {
  const last = state.turns.at(-1);
  const [text, setText] = useState("");
  useEffect(() => {
    if (last !== undefined && !state.playing && last.speaker === "learner") setText(last.text);
  }, [last, state.playing]);
  return (
    <p className="hidden" role="status" lang="en">
      {text}
    </p>
  );
}

/** The time spent, and the minutes until the service ends the conversation. */
function Elapsed({ running, endsAt }: { readonly running: boolean; readonly endsAt: string | null }) {
  const { t } = useI18n();
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(() => setSeconds((past) => past + 1), 1000);
    return () => clearInterval(timer);
  }, [running]);
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  const left = endsAt === null ? null : Math.max(0, Math.floor((Date.parse(endsAt) - Date.now()) / 60_000));
  return (
    <p className={styles.elapsed}>
      <span className="hidden">{t("talk.elapsed", { time })}</span>
      <span aria-hidden="true">{time}</span>
      {running && left !== null && <span className={styles.left}> {t("talk.left", { minutes: left })}</span>}
    </p>
  );
}
