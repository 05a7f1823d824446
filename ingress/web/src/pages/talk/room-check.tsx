/** The room check: the learner speaks, hears the recording, and sees whether the loudspeaker disturbs the microphone. */

import { useEffect, useRef, useState } from "react";
import { reports } from "../../api/reports";
import { AudioEngine, type MicrophoneError } from "../../audio/engine";
import { FRAME_SAMPLES } from "../../audio/messages";
import { SAMPLE_RATE_HZ } from "../../audio/player-queue";
import { judge, type PlaybackFrame, type Room } from "../../audio/room";
import { level } from "../../audio/speech";
import { useI18n } from "../../i18n/i18n";
import type { SoundSettings } from "../../live/settings";
import { Button, styles as ui } from "../../ui/ui";
import styles from "./talk.module.css";

const SPEAK_SECONDS = 4;
const SPEAK_FRAMES = (SPEAK_SECONDS * SAMPLE_RATE_HZ) / FRAME_SAMPLES;

type Step = "ready" | "speak" | "listen" | Room | MicrophoneError;

interface Props {
  readonly settings: SoundSettings;
  readonly onChange: (settings: SoundSettings) => void;
}

export function RoomCheck({ settings, onChange }: Props) {
  const { t, intl } = useI18n();
  const [step, setStep] = useState<Step>("ready");
  const check = useRef<Check | null>(null);
  useEffect(() => () => void check.current?.close(), []);
  /** Runs in the learner's tap: only there may sound begin. */
  const begin = (): void => {
    void check.current?.close();
    check.current = new Check(setStep);
    void check.current.run(settings);
  };
  const choose = (half: boolean): void => onChange({ ...settings, half, checked: true });
  const busy = step === "speak" || step === "listen";
  const room = typeof step === "object" ? step : null;
  return (
    <section className={ui.panel} aria-labelledby="room">
      <h2 id="room">{t("room.title")}</h2>
      <p className={ui.hint}>{t("room.lead", { seconds: SPEAK_SECONDS })}</p>
      <div role="status" className={styles.room}>
        {busy && <p>{t(`room.${step}`)}</p>}
        {room !== null && <p>{t(`room.${room.verdict}`)}</p>}
        {room?.echoDb != null && (
          <p className={ui.hint}>
            {t("room.echoDb", { db: intl.formatNumber(room.echoDb, { maximumFractionDigits: 0 }) })}
          </p>
        )}
        {typeof step === "string" && !busy && step !== "ready" && <p>{t(`microphone.${step}`)}</p>}
      </div>
      <div className={ui.row}>
        {room !== null && room.verdict !== "silent" && (
          <>
            <Button kind={room.verdict === "clear" ? "primary" : "normal"} onClick={() => choose(false)}>
              {t(room.verdict === "clear" ? "room.both" : "room.headphones")}
            </Button>
            <Button kind={room.verdict === "echo" ? "primary" : "normal"} onClick={() => choose(true)}>
              {t("room.turns")}
            </Button>
          </>
        )}
        <Button disabled={busy} onClick={begin}>
          {t(step === "ready" ? "room.begin" : "room.again")}
        </Button>
      </div>
    </section>
  );
}

/** One run: records, then plays the recording and listens. */
class Check {
  readonly #show: (step: Step) => void;
  readonly #engine: AudioEngine;
  readonly #recorded: Int16Array<ArrayBuffer>[] = [];
  readonly #playing: PlaybackFrame[] = [];
  #playback = 0;
  #listening = false;
  #started = false;

  constructor(show: (step: Step) => void) {
    this.#show = show;
    this.#engine = new AudioEngine({
      frame: (samples) => this.#frame(samples),
      played: ({ playing, level: played, waitingMs }) => {
        this.#playback = playing ? played : 0;
        this.#started ||= playing;
        if (this.#listening && this.#started && !playing && waitingMs === 0) this.#end();
      },
      microphoneLost: () => show("missing"),
    });
  }

  async run(settings: SoundSettings): Promise<void> {
    const problem = await this.#engine.startMicrophone(settings);
    if (problem !== null) {
      this.#show(problem);
      await this.#engine.close();
      return;
    }
    this.#engine.setVolume(settings.volume);
    await this.#engine.startPlayer();
    this.#show("speak");
  }

  async close(): Promise<void> {
    this.#listening = false;
    await this.#engine.close();
  }

  #frame(samples: Int16Array<ArrayBuffer>): void {
    if (this.#listening) {
      this.#playing.push({ level: level(samples), playback: this.#playback });
    } else if (this.#recorded.length < SPEAK_FRAMES) {
      this.#recorded.push(samples);
      if (this.#recorded.length === SPEAK_FRAMES) this.#listen();
    }
  }

  #listen(): void {
    this.#listening = true;
    this.#show("listen");
    for (const samples of this.#recorded) this.#engine.push(0, samples.slice());
  }

  #end(): void {
    const room = judge(this.#recorded.map(level), this.#playing);
    if (room.verdict === "echo") reports.count("echoes");
    this.#show(room);
    void this.close();
  }
}
