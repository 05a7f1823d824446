/** PURE. What a room check says: whether the microphone hears the learner, and whether it hears the loudspeaker. */

import { ABOVE_PLAYBACK, ABOVE_ROOM, LEVEL_MIN } from "./speech";

/** Share of the frames during playback that may be as loud as an interruption. */
const ECHO_SHARE_MAX = 0.05;

export interface PlaybackFrame {
  /** Root mean square of the microphone, from 0 to 1. */
  readonly level: number;
  /** Root mean square of the loudspeaker at the same time. */
  readonly playback: number;
}

export interface Room {
  /** `silent`: no voice was heard; `echo`: the tutor would interrupt itself; `clear`: both may talk at once. */
  readonly verdict: "silent" | "echo" | "clear";
  /** How much quieter the loudspeaker is in the microphone than the voice, in decibels. */
  readonly echoDb: number | null;
}

/** `speaking` are the levels of the frames in which the learner was asked to speak. */
export function judge(speaking: readonly number[], playing: readonly PlaybackFrame[]): Room {
  const voice = percentile(speaking, 0.9);
  const quiet = percentile(speaking, 0.1);
  // A learner who speaks without a pause leaves no quiet frame to compare with.
  if (voice < LEVEL_MIN || voice < Math.min(quiet, LEVEL_MIN) * ABOVE_ROOM) return { verdict: "silent", echoDb: null };
  const audible = playing.filter((frame) => frame.playback > 0);
  const interrupting = audible.filter((frame) => frame.level > Math.max(LEVEL_MIN, frame.playback * ABOVE_PLAYBACK));
  const echo = percentile(
    audible.map((frame) => frame.level),
    0.9,
  );
  return {
    verdict: interrupting.length > audible.length * ECHO_SHARE_MAX ? "echo" : "clear",
    echoDb: echo === 0 ? null : 20 * Math.log10(voice / echo),
  };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
