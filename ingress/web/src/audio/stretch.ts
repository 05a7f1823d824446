/**
 * PURE. Slows speech down without a lower pitch (WSOLA: waveform similarity overlap-add, Verhelst and Roelands 1993).
 *
 * The output is made of overlapping pieces of the source, which move through it more slowly than the output grows. Each piece
 * is taken from where it fits best to what was played before, so that the periods of the voice meet.
 *
 * The source knows how much of it was played: the count is that of the source, so that captions and reports stay in time.
 */

import { SAMPLE_RATE_HZ } from "./player-queue";

const samples = (ms: number): number => (ms * SAMPLE_RATE_HZ) / 1000;

/** Length of the overlap of two pieces: 15 ms. */
const OVERLAP = samples(15);
/** How far around its place a piece is looked for: a period of a deep voice, 10 ms. */
const SEARCH = samples(10);
/** Length of the fade at a cut: 5 ms. */
const FADE = samples(5);
/** Source samples that are read at once, and that wait here at most besides those of a piece. */
const BLOCK = 64;
const CAPACITY = 2 * OVERLAP + 2 * SEARCH + 2 * BLOCK + 2 * OVERLAP;

/** The slowest pace. */
export const PACE_MIN = 0.5;

export interface Source {
  /** Fills `output`; silence where there is nothing to be played. */
  read(output: Float32Array): void;
  /** Samples that were read of the present generation. */
  readonly played: number;
}

export class Stretcher {
  readonly #source: Source;
  /** Source samples that were read and may still be needed. */
  readonly #samples = new Float32Array(CAPACITY);
  /** For each of them, `source.played` after it. */
  readonly #played = new Float64Array(CAPACITY);
  #length = 0;
  /** Where the continuation of the last piece begins. */
  #next = 0;
  /** Where the next piece would begin without the search. */
  #place = 0;
  readonly #piece = new Float32Array(OVERLAP);
  /** Samples of the piece that were not yet taken, at its end. */
  #left = 0;
  #pace = 1;
  #reached = 0;
  readonly #block = new Float32Array(BLOCK);
  #fade = new Float32Array(0);

  constructor(source: Source) {
    this.#source = source;
  }

  /** Samples of the source's present generation that were played. */
  get played(): number {
    return this.active ? this.#reached : this.#source.played;
  }

  /** Whether it holds audio of the source. At the pace 1 it holds none, and the source is played as it is. */
  get active(): boolean {
    return this.#length > 0 || this.#left > 0;
  }

  /** From `PACE_MIN`, half as fast, to 1. */
  setPace(pace: number): void {
    this.#pace = Math.min(1, Math.max(PACE_MIN, pace));
  }

  /** The source begins a generation: what waits here is dropped after a fade of a few milliseconds. */
  flush(): void {
    if (this.active) {
      const begin = OVERLAP - this.#left;
      this.#fade = Float32Array.from({ length: FADE }, (_, i) => {
        const sample = i < this.#left ? this.#piece[begin + i] : this.#samples[this.#next + i - this.#left];
        return (sample ?? 0) * (1 - (i + 1) / FADE);
      });
    }
    this.#clear();
  }

  /** Fills `output`. */
  read(output: Float32Array): void {
    let done = 0;
    while (this.#fade.length > 0 && done < output.length) {
      output[done++] = this.#fade[0] as number;
      this.#fade = this.#fade.subarray(1);
    }
    while (done < output.length) {
      if (this.#left === 0 && this.#pace === 1 && !this.#drain()) {
        this.#source.read(output.subarray(done));
        return;
      }
      if (this.#left === 0) this.#overlap();
      const count = Math.min(this.#left, output.length - done);
      const begin = OVERLAP - this.#left;
      output.set(this.#piece.subarray(begin, begin + count), done);
      this.#left -= count;
      done += count;
    }
  }

  /** At the source's own pace, what was read ahead is played as it is. Returns whether there was something. */
  #drain(): boolean {
    const count = Math.min(OVERLAP, this.#length - this.#next);
    if (count <= 0) {
      this.#clear();
      return false;
    }
    this.#piece.set(this.#samples.subarray(this.#next, this.#next + count), OVERLAP - count);
    this.#left = count;
    this.#reached = this.#played[this.#next + count - 1] as number;
    this.#next += count;
    this.#place = this.#next;
    return true;
  }

  /** Makes the next piece of the output: the continuation of the last one fades out while the best piece fades in. */
  #overlap(): void {
    this.#fill(Math.max(this.#place + SEARCH, this.#next) + OVERLAP);
    const best = this.#best();
    for (let i = 0; i < OVERLAP; i++) {
      const share = 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / OVERLAP);
      this.#piece[i] =
        (this.#samples[this.#next + i] as number) * (1 - share) + (this.#samples[best + i] as number) * share;
    }
    this.#left = OVERLAP;
    this.#reached = this.#played[Math.floor(this.#place)] as number;
    this.#next = best + OVERLAP;
    this.#place += OVERLAP * this.#pace;
    this.#trim();
  }

  /** The begin of the piece that resembles the continuation most, by normalized correlation. */
  #best(): number {
    const place = Math.round(this.#place);
    let best = place;
    let highest = -Infinity;
    for (let at = Math.max(0, place - SEARCH); at <= place + SEARCH; at++) {
      let product = 0;
      let energy = 1e-9;
      // Every second sample is enough to find the period.
      for (let i = 0; i < OVERLAP; i += 2) {
        const sample = this.#samples[at + i] as number;
        product += sample * (this.#samples[this.#next + i] as number);
        energy += sample * sample;
      }
      const likeness = product / Math.sqrt(energy);
      if (likeness > highest) [highest, best] = [likeness, at];
    }
    return highest > 0 ? best : place;
  }

  /** Reads ahead until there are `count` samples. */
  #fill(count: number): void {
    while (this.#length < Math.ceil(count)) {
      const before = this.#source.played;
      this.#source.read(this.#block);
      // Audio stands at the end of a block in which it begins, and at the front of one in which it ends: both count at once.
      this.#samples.set(this.#block, this.#length);
      this.#played.fill(Math.max(before, this.#source.played), this.#length, this.#length + BLOCK);
      this.#length += BLOCK;
    }
  }

  /** Drops what no later piece can need. */
  #trim(): void {
    const old = Math.max(0, Math.min(Math.floor(this.#place) - SEARCH, this.#next));
    this.#samples.copyWithin(0, old, this.#length);
    this.#played.copyWithin(0, old, this.#length);
    this.#length -= old;
    this.#next -= old;
    this.#place -= old;
  }

  #clear(): void {
    this.#length = 0;
    this.#next = 0;
    this.#place = 0;
    this.#left = 0;
    this.#reached = this.#source.played;
  }
}
