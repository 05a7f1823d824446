/** The turns of a conversation, each with its recording. */

import { useEffect, useRef, useState } from "react";
import { api, body, type Schemas } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { Button, ErrorMessage, styles as ui } from "../../ui/ui";
import talk from "../talk/talk.module.css";
import styles from "./result.module.css";

type Turn = Schemas["TurnView"];

/** Seconds of a turn's recording that the learner heard; `null` for all of it. The tutor speaks faster than the sound plays. */
export function heardSeconds(turn: Turn): number | null {
  if (turn.speaker !== "tutor" || !turn.interrupted) return null;
  return (turn.playedMs ?? turn.endMs - turn.startMs) / 1000;
}

/** Plays one recording at a time; a second call stops the first. */
export function usePlayTurn(conversationId: string) {
  const audio = useRef<HTMLAudioElement | null>(null);
  const [loading, setLoading] = useState(false);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => () => audio.current?.pause(), []);
  const start = async (turn: Turn): Promise<void> => {
    audio.current?.pause();
    setLoading(true);
    setError(null);
    try {
      const params = { path: { id: conversationId, index: turn.index } };
      const path = "/api/conversations/{id}/turns/{index}/recording";
      const wav = await body(() => api.GET(path, { params, parseAs: "blob" }));
      // An audio element sends no token, so it plays what was fetched with one.
      const url = URL.createObjectURL(wav);
      const end = heardSeconds(turn);
      const player = new Audio(end === null ? url : `${url}#t=0,${end}`);
      for (const over of ["emptied", "pause"]) player.addEventListener(over, () => URL.revokeObjectURL(url));
      audio.current = player;
      await player.play();
    } catch (failure) {
      setError(failure);
    } finally {
      setLoading(false);
    }
  };
  return { start, loading, error };
}

export function Transcript({ transcript }: { readonly transcript: Schemas["TranscriptView"] }) {
  const { t } = useI18n();
  const play = usePlayTurn(transcript.conversationId);
  return (
    <section className={ui.panel} aria-labelledby="transcript">
      <h2 id="transcript">{t("result.transcript")}</h2>
      <ErrorMessage error={play.error} />
      <ol className={styles.turns} lang="en">
        {transcript.turns.map((turn) => (
          <li key={turn.index} className={talk.bubble} data-speaker={turn.speaker}>
            <p>
              <strong className="hidden">{t(turn.speaker === "learner" ? "talk.you" : "talk.tutor")}: </strong>
              {turn.text}
              {turn.speaker === "tutor" && turn.interrupted && (
                <span className={talk.cut}> ({t("talk.interruptedHere")})</span>
              )}
            </p>
            {turn.audio !== null && turn.audio !== undefined && (
              <Button
                kind="link"
                disabled={play.loading}
                aria-label={`${t("result.play")}: ${turn.text}`}
                onClick={() => void play.start(turn)}
              >
                <span aria-hidden="true">▶</span> {t("result.play")}
              </Button>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
