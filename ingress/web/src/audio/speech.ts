/**
 * PURE. Says whether the learner speaks, from the level of each microphone frame of 32 ms.
 *
 * A hint only: it lowers the tutor's volume at once and asks for an interruption after a quarter of a second, so that a
 * cough does not end the tutor's sentence. The service decides where a turn begins and ends.
 */

/** Root mean square below which nothing is speech, whatever the room. */
export const LEVEL_MIN = 0.008;
/** Speech is this many times louder than the room. */
export const ABOVE_ROOM = 3;
/** While the tutor plays, speech is louder than this share of the played level, because of echo. */
export const ABOVE_PLAYBACK = 0.65;
/** Frames of speech in a row before an interruption is requested: 288 ms. */
export const FRAMES_TO_INTERRUPT = 9;
/** Frames without speech before the learner counts as silent: 512 ms. */
export const FRAMES_TO_SILENCE = 16;

export interface Speech {
  /** The learner is speaking. */
  readonly active: boolean;
  /** This frame completes enough speech for an interruption. */
  readonly interrupt: boolean;
}

export class SpeechDetector {
  #room = LEVEL_MIN;
  #voiced = 0;
  #silent = FRAMES_TO_SILENCE;

  /** `level` and `playback` are root mean squares from 0 to 1. */
  frame(level: number, playback: number): Speech {
    const threshold = Math.max(LEVEL_MIN, this.#room * ABOVE_ROOM, playback * ABOVE_PLAYBACK);
    if (level > threshold) {
      this.#voiced += 1;
      this.#silent = 0;
    } else {
      this.#silent += 1;
      if (this.#silent > 2) this.#voiced = 0;
      // The room follows quickly downwards and slowly upwards, so that speech does not raise it.
      const share = level < this.#room ? 0.2 : 0.02;
      if (playback === 0) this.#room += (level - this.#room) * share;
    }
    return {
      active: this.#silent < FRAMES_TO_SILENCE && this.#voiced > 1,
      interrupt: this.#voiced === FRAMES_TO_INTERRUPT,
    };
  }
}

/** The root mean square of 16-bit samples, from 0 to 1. */
export function level(samples: Int16Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length) / 32768;
}
