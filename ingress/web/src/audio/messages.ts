/** Messages between the page and its two audio worklets. */

/** 32 ms of microphone at 16 kHz. */
export const FRAME_SAMPLES = 512;

/** The capture worklet to the page. */
export interface Frame {
  readonly samples: Int16Array<ArrayBuffer>;
}

/** The page to the player worklet. */
export type PlayerCommand =
  | { readonly type: "push"; readonly generation: number; readonly samples: Int16Array<ArrayBuffer> }
  | { readonly type: "flush"; readonly generation: number }
  /** A share of the speed at which the tutor speaks. */
  | { readonly type: "pace"; readonly pace: number };

/** The player worklet to the page, ten times a second and after a flush. */
export interface PlayerReport {
  readonly generation: number;
  /** Audio of the generation that was played, without the latency of the device. */
  readonly playedMs: number;
  readonly waitingMs: number;
  readonly playing: boolean;
  readonly level: number;
  readonly underruns: number;
}
