/** The bar of a live conversation: microphone with its meter, keyboard, volume, interruption. */

import { useEffect, useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import { useConfig } from "../../api/config";
import type { Schemas } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import type { LiveSession } from "../../live/session";
import { paceOf, PACES, type SoundSettings } from "../../live/settings";
import type { LiveState } from "../../live/state";
import { Button, styles as ui } from "../../ui/ui";
import styles from "./talk.module.css";

interface BarProps {
  readonly session: LiveSession;
  readonly state: LiveState;
  readonly level: Schemas["Level"];
  readonly settings: SoundSettings;
  readonly typing: boolean;
  readonly onSettings: (settings: SoundSettings) => void;
}

export function Bar({ session, state, level, settings, typing, onSettings }: BarProps) {
  const { t, intl } = useI18n();
  const [keyboard, setKeyboard] = useState(typing);
  const [muted, setMuted] = useState(settings.hold);
  const [running, setRunning] = useState(session.engine.running);
  useEffect(() => {
    session.engine.onStateChange(() => setRunning(session.engine.running));
    setRunning(session.engine.running);
  }, [session]);
  const mute = (silent: boolean): void => {
    session.engine.setMuted(silent);
    setMuted(silent);
  };
  const volume = (value: number): void => {
    session.engine.setVolume(value);
    onSettings({ ...settings, volume: value });
  };
  const pace = paceOf(settings, level);
  const nextPace = (): void => {
    const next = PACES[(PACES.indexOf(pace) + 1) % PACES.length] ?? 1;
    session.engine.setPace(next);
    onSettings({ ...settings, pace: next });
  };
  const hint = settings.hold ? "talk.hintHold" : muted ? "talk.muted" : settings.half ? "talk.hintHalf" : "talk.hint";
  return (
    <div className={styles.bar}>
      {!running && (
        <Button kind="primary" onClick={() => void session.engine.resume()}>
          {t("talk.resumeSound")}
        </Button>
      )}
      {keyboard && <Typing send={(text) => session.sendText(text)} />}
      <div className={styles.controls}>
        <Button
          kind="icon"
          aria-pressed={keyboard}
          aria-label={t("talk.type")}
          title={t("talk.type")}
          onClick={() => setKeyboard(!keyboard)}
        >
          <Keyboard />
        </Button>
        <Button
          kind="icon"
          className={styles.pace}
          title={`${t("pace.title")}: ${t(`pace.${pace}`)}`}
          onClick={nextPace}
        >
          <span className="hidden">
            {t("pace.title")}: {t(`pace.${pace}`)}{" "}
          </span>
          {intl.formatNumber(pace)}×
        </Button>
        <div className={styles.middle}>
          {!typing && <Meter session={session} />}
          <p className={ui.hint}>{typing ? "" : t(hint)}</p>
          <label className={styles.volume}>
            {t("talk.volume")}
            <input
              type="range"
              min={0}
              max={1}
              step={0.05}
              value={settings.volume}
              onChange={(event) => volume(Number(event.target.value))}
            />
          </label>
        </div>
        {state.playing && (settings.half || typing) && (
          <Button onClick={() => session.interrupt()}>{t("talk.interrupt")}</Button>
        )}
        {!typing && settings.hold && <HoldToTalk muted={muted} mute={mute} />}
        {!typing && !settings.hold && (
          <Button
            kind="icon"
            className={styles.microphone}
            aria-pressed={muted}
            aria-label={t(muted ? "talk.unmute" : "talk.mute")}
            title={t(muted ? "talk.unmute" : "talk.mute")}
            onClick={() => mute(!muted)}
          >
            <Microphone off={muted} />
          </Button>
        )}
      </div>
    </div>
  );
}

/** Speaks while a pointer or a key holds it. A screen reader only clicks: each click changes it. */
function HoldToTalk({ muted, mute }: { readonly muted: boolean; readonly mute: (silent: boolean) => void }) {
  const { t } = useI18n();
  const key = (silent: boolean) => (event: KeyboardEvent) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) mute(silent);
  };
  return (
    <Button
      kind="icon"
      className={styles.microphone}
      aria-pressed={!muted}
      aria-label={t("talk.hold")}
      title={t("talk.hold")}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        mute(false);
      }}
      onPointerUp={() => mute(true)}
      onPointerCancel={() => mute(true)}
      onKeyDown={key(false)}
      onKeyUp={key(true)}
      onBlur={() => mute(true)}
      onContextMenu={(event) => event.preventDefault()}
      onClick={(event) => {
        if (event.detail === 0) mute(!muted);
      }}
    >
      <Microphone off={muted} />
    </Button>
  );
}

function Typing({ send }: { readonly send: (text: string) => void }) {
  const { t } = useI18n();
  const [text, setText] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (text.trim() === "") return;
    send(text.trim());
    setText("");
  };
  return (
    <form className={styles.typing} onSubmit={submit}>
      <input
        aria-label={t("talk.typeLabel")}
        lang="en"
        maxLength={useConfig()?.limits.typedCharsMax}
        autoComplete="off"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Button type="submit" kind="primary">
        {t("talk.send")}
      </Button>
    </form>
  );
}

/** Follows the microphone by animation frames, without rendering. */
function Meter({ session }: { readonly session: LiveSession }) {
  const { t } = useI18n();
  const bar = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    let frame = 0;
    const draw = (): void => {
      const share = Math.min(1, Math.sqrt(session.microphoneLevel) * 1.6);
      bar.current?.style.setProperty("inline-size", `${Math.round(share * 100)}%`);
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, [session]);
  return (
    <span className={styles.meter} role="img" aria-label={t("talk.meter")}>
      <span ref={bar} />
    </span>
  );
}

function Keyboard() {
  return (
    <svg
      width="24"
      height="24"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.75"
      aria-hidden="true"
    >
      <rect x="3" y="6" width="18" height="12" rx="2" />
      <path d="M7 10h0M11 10h0M15 10h0M8 14h8" strokeLinecap="round" />
    </svg>
  );
}

function Microphone({ off }: { readonly off: boolean }) {
  return (
    <svg
      width="24"
      height="24"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.75"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <rect x="9" y="3" width="6" height="11" rx="3" />
      <path d="M6 11a6 6 0 0 0 12 0M12 17v4" />
      {off && <path d="M4 4l16 16" />}
    </svg>
  );
}
