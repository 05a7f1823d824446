/**
 * PURE. Converts a stream of samples from one rate to another.
 *
 * A windowed sinc: Kaiser window, beta 9, 24 zero crossings on each side, 512 phases with linear interpolation between
 * them. When the rate falls, the filter is widened so that nothing above the new Nyquist frequency folds back.
 */

const ZERO_CROSSINGS = 24;
const PHASES = 512;
const BETA = 9;
/** The pass band, as a share of the lower Nyquist frequency. */
const CUT = 0.92;

export class Resampler {
  readonly #step: number;
  readonly #half: number;
  readonly #table: Float32Array;
  #input: Float32Array;
  #length: number;
  /** Position of the next output sample in `#input`. */
  #position: number;

  constructor(fromHz: number, toHz: number) {
    if (!(fromHz > 0 && toHz > 0)) throw new RangeError(`the rates ${fromHz} and ${toHz} are not positive`);
    this.#step = fromHz / toHz;
    const cut = CUT * Math.min(1, toHz / fromHz);
    this.#half = Math.ceil(ZERO_CROSSINGS / Math.min(1, toHz / fromHz));
    this.#table = kernel(this.#half, cut);
    this.#input = new Float32Array(this.#half * 2 + 4096);
    this.#length = this.#half;
    this.#position = this.#half;
  }

  /** How many output samples `push` of `count` input samples can return at most. */
  capacity(count: number): number {
    return Math.ceil((count + this.#half * 2 + 2) / this.#step) + 1;
  }

  /** Takes input samples; writes the output samples that they complete to `output` and returns their number. */
  push(samples: Float32Array, output: Float32Array): number {
    this.#append(samples);
    let written = 0;
    while (this.#position + this.#half < this.#length) {
      output[written++] = this.#at(this.#position);
      this.#position += this.#step;
    }
    this.#compact();
    return written;
  }

  /** Forgets what was pushed. */
  reset(): void {
    this.#input.fill(0);
    this.#length = this.#half;
    this.#position = this.#half;
  }

  #at(position: number): number {
    const centre = Math.floor(position);
    const phase = (position - centre) * PHASES;
    const row = Math.floor(phase);
    const between = phase - row;
    const width = this.#half * 2;
    const low = row * width;
    const first = centre - this.#half + 1;
    let sum = 0;
    for (let tap = 0; tap < width; tap++) {
      const near = this.#table[low + tap] as number;
      const next = this.#table[low + width + tap] as number;
      sum += (this.#input[first + tap] as number) * (near + (next - near) * between);
    }
    return sum;
  }

  #append(samples: Float32Array): void {
    const needed = this.#length + samples.length;
    if (needed > this.#input.length) {
      const larger = new Float32Array(needed * 2);
      larger.set(this.#input.subarray(0, this.#length));
      this.#input = larger;
    }
    this.#input.set(samples, this.#length);
    this.#length = needed;
  }

  #compact(): void {
    const keepFrom = Math.max(0, Math.floor(this.#position) - this.#half);
    if (keepFrom === 0) return;
    this.#input.copyWithin(0, keepFrom, this.#length);
    this.#length -= keepFrom;
    this.#position -= keepFrom;
  }
}

/** One row of `2 * half` taps per phase, and one more row for the interpolation of the last phase. */
function kernel(half: number, cut: number): Float32Array {
  const width = half * 2;
  const table = new Float32Array((PHASES + 1) * width);
  const norm = bessel(BETA);
  for (let phase = 0; phase <= PHASES; phase++) {
    for (let tap = 0; tap < width; tap++) {
      const x = tap - half + 1 - phase / PHASES;
      const edge = x / half;
      const window = Math.abs(edge) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - edge * edge)) / norm;
      const angle = Math.PI * x * cut;
      table[phase * width + tap] = window * cut * (angle === 0 ? 1 : Math.sin(angle) / angle);
    }
  }
  return table;
}

/** The modified Bessel function of the first kind, order 0, by its power series. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; k < 40; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
