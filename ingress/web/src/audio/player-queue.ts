/**
 * PURE. The tutor's audio that waits to be played: a ring of samples at 16 kHz with generations.
 *
 * The service sends faster than real time, so minutes of audio can wait. Audio of an older generation is dropped, also
 * when it arrives after the flush. After an underrun the queue collects a reserve before it plays on, so that one late
 * packet causes one gap and not ten.
 */

export const SAMPLE_RATE_HZ = 16_000;

/** The most audio that waits. The service stops at 2 MiB, which is 65 s. */
export const QUEUE_SECONDS_MAX = 90;

/** Reserve before playback begins, and after the first underrun. */
export const RESERVE_MS = 80;
/** Reserve after later underruns of the same generation. */
export const RESERVE_REPEATED_MS = 200;
/** Length of the fade at a cut. */
export const FADE_MS = 5;

const samples = (ms: number): number => (ms * SAMPLE_RATE_HZ) / 1000;

export class PlayerQueue {
  readonly #ring = new Float32Array(QUEUE_SECONDS_MAX * SAMPLE_RATE_HZ);
  #read = 0;
  #waiting = 0;
  #generation = 0;
  #played = 0;
  #playing = false;
  #reserve = samples(RESERVE_MS);
  #underruns = 0;
  #dropped = 0;
  /** Samples since the last `push` arrived; a short answer starts without a full reserve. */
  #sincePush = 0;
  #fade = new Float32Array(0);

  get generation(): number {
    return this.#generation;
  }

  /** Samples of the present generation that were played. */
  get played(): number {
    return this.#played;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get playing(): boolean {
    return this.#playing;
  }

  get underruns(): number {
    return this.#underruns;
  }

  /** Samples that did not fit. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Adds audio. An older generation is ignored; a newer one begins. */
  push(generation: number, audio: Int16Array): void {
    if (generation < this.#generation) return;
    if (generation > this.#generation) this.flush(generation);
    const room = this.#ring.length - this.#waiting;
    const count = Math.min(room, audio.length);
    this.#dropped += audio.length - count;
    let at = (this.#read + this.#waiting) % this.#ring.length;
    for (let i = 0; i < count; i++) {
      this.#ring[at] = (audio[i] as number) / 32768;
      at = at + 1 === this.#ring.length ? 0 : at + 1;
    }
    this.#waiting += count;
    this.#sincePush = 0;
  }

  /** Begins a generation. What waits is dropped, after a fade of a few milliseconds unless another part makes it. */
  flush(generation: number, fade = true): void {
    if (generation <= this.#generation) return;
    if (fade && this.#playing && this.#waiting > 0) {
      const length = Math.min(samples(FADE_MS), this.#waiting);
      this.#fade = Float32Array.from({ length }, (_, i) => this.#sample(i) * (1 - (i + 1) / length));
    }
    this.#generation = generation;
    this.#waiting = 0;
    this.#played = 0;
    this.#playing = false;
    this.#reserve = samples(RESERVE_MS);
  }

  /** Fills `output`; silence where nothing is to be played. */
  read(output: Float32Array): void {
    const faded = Math.min(this.#fade.length, output.length);
    output.fill(0);
    for (let i = 0; i < faded; i++) output[i] = this.#fade[i] as number;
    this.#fade = this.#fade.subarray(faded);
    if (faded === output.length) return;
    this.#sincePush += output.length;
    if (!this.#playing && !this.#mayStart()) return;
    this.#playing = true;
    const count = Math.min(output.length - faded, this.#waiting);
    for (let i = 0; i < count; i++) output[faded + i] = this.#sample(i);
    this.#read = (this.#read + count) % this.#ring.length;
    this.#waiting -= count;
    this.#played += count;
    if (this.#waiting === 0) this.#pause(count < output.length - faded);
  }

  #mayStart(): boolean {
    if (this.#waiting === 0) return false;
    return this.#waiting >= this.#reserve || this.#sincePush > this.#reserve;
  }

  /** The queue is empty: the end of an answer, or an underrun if audio follows. The next reserve is larger. */
  #pause(short: boolean): void {
    this.#playing = false;
    if (short) this.#underruns += 1;
    this.#reserve = samples(RESERVE_REPEATED_MS);
  }

  #sample(offset: number): number {
    return this.#ring[(this.#read + offset) % this.#ring.length] as number;
  }
}
