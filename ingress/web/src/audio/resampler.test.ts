import { describe, expect, it } from "vitest";
import { Resampler } from "./resampler";

function sine(hz: number, rate: number, seconds: number): Float32Array {
  return Float32Array.from({ length: Math.round(rate * seconds) }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate));
}

/** Pushes blocks of 128, as a worklet does. */
function convert(input: Float32Array, from: number, to: number, block = 128): Float32Array {
  const resampler = new Resampler(from, to);
  const out: number[] = [];
  const buffer = new Float32Array(resampler.capacity(block) + 8);
  for (let at = 0; at < input.length; at += block) {
    const n = resampler.push(input.subarray(at, at + block), buffer);
    for (let i = 0; i < n; i++) out.push(buffer[i] as number);
  }
  return Float32Array.from(out);
}

/** Ratio of the power at `hz` to all other power, in dB, away from the edges. */
function signalToNoise(samples: Float32Array, hz: number, rate: number): number {
  // Whole periods, because the projection leaks otherwise: 10 ms hold ten of them at every rate.
  const length = Math.floor((samples.length - 4000) / (rate / 100)) * (rate / 100);
  const part = samples.subarray(2000, 2000 + length);
  let sin = 0;
  let cos = 0;
  part.forEach((x, i) => {
    sin += x * Math.sin((2 * Math.PI * hz * i) / rate);
    cos += x * Math.cos((2 * Math.PI * hz * i) / rate);
  });
  const a = (2 * sin) / part.length;
  const b = (2 * cos) / part.length;
  let noise = 0;
  part.forEach((x, i) => {
    const w = (2 * Math.PI * hz * i) / rate;
    noise += (x - a * Math.sin(w) - b * Math.cos(w)) ** 2;
  });
  return 10 * Math.log10(((a * a + b * b) / 2) * (part.length / noise));
}

describe("Resampler", () => {
  it.each([
    [44_100, 16_000],
    [48_000, 16_000],
    [16_000, 48_000],
    [16_000, 44_100],
    [96_000, 16_000],
  ])("keeps a tone of 1 kHz from %i to %i Hz above 80 dB", (from, to) => {
    const out = convert(sine(1000, from, 1), from, to);
    // The filter ends 24 zero crossings of the lower rate after the last input sample.
    expect(Math.abs(out.length - to)).toBeLessThan(25 * Math.max(1, to / from));
    expect(signalToNoise(out, 1000, to)).toBeGreaterThan(80);
  });

  it("removes a tone that the lower rate cannot carry", () => {
    const out = convert(sine(9000, 48_000, 1), 48_000, 16_000).subarray(1000, 14_000);
    const power = out.reduce((sum, x) => sum + x * x, 0) / out.length;
    expect(10 * Math.log10(power / 0.5)).toBeLessThan(-80);
  });

  it("returns the same samples for every size of block", () => {
    const input = sine(440, 44_100, 0.5);
    const whole = convert(input, 44_100, 16_000, input.length);
    const blocks = convert(input, 44_100, 16_000, 101);
    expect(blocks.length).toBe(whole.length);
    blocks.forEach((x, i) => expect(x).toBeCloseTo(whole[i] as number, 5));
  });

  it("refuses a rate that is not positive", () => {
    expect(() => new Resampler(0, 16_000)).toThrow(RangeError);
  });
});
