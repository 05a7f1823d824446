/**
 * PURE. The last minute of the microphone, counted in samples since the conversation began.
 *
 * After a lost connection the service says how many samples it received; the rest is sent again, so that nothing the
 * learner said is lost or doubled.
 */

/** The service waits 60 s for a client to come back; older audio is never needed. */
export const HISTORY_SECONDS = 60;

export class MicrophoneHistory {
  readonly #ring: Int16Array;
  #recorded = 0;

  constructor(sampleRateHz: number) {
    this.#ring = new Int16Array(HISTORY_SECONDS * sampleRateHz);
  }

  /** Samples recorded since the beginning. */
  get recorded(): number {
    return this.#recorded;
  }

  push(frame: Int16Array): void {
    for (const sample of frame) {
      this.#ring[this.#recorded % this.#ring.length] = sample;
      this.#recorded += 1;
    }
  }

  /** The samples after the first `heard`, and how many of them are lost because they are too old. */
  since(heard: number): { samples: Int16Array; lost: number } {
    const from = Math.max(heard, this.#recorded - this.#ring.length);
    const count = Math.max(0, this.#recorded - from);
    const samples = Int16Array.from({ length: count }, (_, i) => this.#ring[(from + i) % this.#ring.length] as number);
    return { samples, lost: Math.max(0, from - heard) };
  }

  /** The service counts from zero again. */
  restart(): void {
    this.#recorded = 0;
  }
}
