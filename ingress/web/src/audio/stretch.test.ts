import { describe, expect, it } from "vitest";
import { PACE_MIN, Stretcher, type Source } from "./stretch";

const RATE = 16_000;

/** A source of a function over its samples, silent behind `length`. */
class Made implements Source {
  #at = 0;
  constructor(
    readonly length: number,
    readonly sample: (at: number) => number,
  ) {}
  get played(): number {
    return Math.min(this.#at, this.length);
  }
  read(output: Float32Array): void {
    for (let i = 0; i < output.length; i++, this.#at++) output[i] = this.#at < this.length ? this.sample(this.#at) : 0;
  }
}

/** A voice of 140 Hz with overtones. */
const voice = (at: number): number =>
  [1, 2, 3, 5].reduce((sum, n) => sum + Math.sin((2 * Math.PI * 140 * n * at) / RATE) / (4 * n), 0);

function play(stretcher: Stretcher, seconds: number): Float32Array {
  const output = new Float32Array(seconds * RATE);
  for (let at = 0; at < output.length; at += 64) stretcher.read(output.subarray(at, at + 64));
  return output;
}

/** The lag with the highest autocorrelation between 4 and 12 ms, in hertz. */
function pitch(audio: Float32Array): number {
  const part = audio.subarray(RATE / 2, RATE);
  let best = 0;
  let highest = -Infinity;
  for (let lag = 64; lag < 192; lag++) {
    let sum = 0;
    for (let i = 0; i + lag < part.length; i++) sum += (part[i] as number) * (part[i + lag] as number);
    if (sum > highest) [highest, best] = [sum, lag];
  }
  return RATE / best;
}

describe("a slower tutor", () => {
  it("is the source itself at its own pace", () => {
    const source = new Made(RATE, voice);
    const output = play(new Stretcher(source), 1);
    expect(output.every((sample, at) => sample === Math.fround(voice(at)))).toBe(true);
  });

  it.each([0.85, 0.7, PACE_MIN])("has the same pitch at %f of the pace, and lasts longer", (pace) => {
    const source = new Made(2 * RATE, voice);
    const stretcher = new Stretcher(source);
    stretcher.setPace(pace);
    const output = play(stretcher, 5);
    expect(Math.abs(pitch(output) - 140)).toBeLessThan(2);
    const end = output.findLastIndex((sample) => Math.abs(sample) > 0.01) / RATE;
    expect(end).toBeGreaterThan(2 / pace - 0.1);
    expect(end).toBeLessThan(2 / pace + 0.1);
    // As loud as before: the pieces do not cancel each other.
    const power = (from: Float32Array): number => from.reduce((sum, sample) => sum + sample * sample, 0) / from.length;
    const original = Float32Array.from({ length: RATE }, (_, at) => voice(at));
    expect(power(output.subarray(RATE / 2, RATE)) / power(original)).toBeGreaterThan(0.8);
  });

  it("counts what was played in samples of the source", () => {
    const source = new Made(2 * RATE, voice);
    const stretcher = new Stretcher(source);
    stretcher.setPace(0.7);
    play(stretcher, 1);
    expect(Math.abs(stretcher.played - 0.7 * RATE)).toBeLessThan(0.03 * RATE);
    play(stretcher, 3);
    expect(stretcher.played).toBe(2 * RATE);
  });

  it("goes on without a gap when the pace changes", () => {
    const source = new Made(10 * RATE, voice);
    const stretcher = new Stretcher(source);
    const output = [1, 0.7, 1, 0.85, 1].map((pace) => {
      stretcher.setPace(pace);
      return play(stretcher, 0.5);
    });
    const whole = output.flatMap((part) => [...part]);
    const steps = whole.slice(1).map((sample, at) => Math.abs(sample - (whole[at] as number)));
    const largest = Math.max(...Array.from({ length: 200 }, (_, at) => Math.abs(voice(at + 1) - voice(at))));
    expect(Math.max(...steps)).toBeLessThan(2 * largest);
    expect(stretcher.played).toBeGreaterThan(2 * RATE);
  });

  it("is silent a few milliseconds after a flush", () => {
    const source = new Made(10 * RATE, voice);
    const stretcher = new Stretcher(source);
    stretcher.setPace(0.7);
    play(stretcher, 0.5);
    const silent: Source = { played: 0, read: (output) => void output.fill(0) };
    Object.assign(source, { read: silent.read.bind(silent) });
    stretcher.flush();
    const after = play(stretcher, 0.1);
    expect(after.subarray(80).every((sample) => sample === 0)).toBe(true);
    expect(Math.abs(after[0] as number)).toBeGreaterThan(0);
  });
});
