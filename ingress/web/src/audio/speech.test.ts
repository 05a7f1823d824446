import { describe, expect, it } from "vitest";
import { FRAMES_TO_INTERRUPT, level, SpeechDetector } from "./speech";

const run = (detector: SpeechDetector, levels: number[], playback = 0) =>
  levels.map((x) => detector.frame(x, playback));
const times = (count: number, x: number): number[] => Array.from({ length: count }, () => x);

describe("SpeechDetector", () => {
  it("requests one interruption for a word and none for a knock", () => {
    const detector = new SpeechDetector();
    run(detector, times(60, 0.001));
    expect(run(detector, [0.5, 0.5, 0.3, ...times(20, 0.001)]).some((s) => s.interrupt)).toBe(false);
    expect(run(detector, times(40, 0.1)).filter((s) => s.interrupt)).toHaveLength(1);
  });

  it("takes the echo of the tutor for no speech", () => {
    const detector = new SpeechDetector();
    expect(run(detector, times(100, 0.05), 0.1).some((s) => s.active)).toBe(false);
    expect(run(detector, times(FRAMES_TO_INTERRUPT, 0.2), 0.1).at(-1)?.interrupt).toBe(true);
  });

  it("adapts to a loud room", () => {
    const detector = new SpeechDetector();
    run(detector, times(400, 0.007));
    run(detector, times(600, 0.02));
    expect(run(detector, times(30, 0.02)).at(-1)?.interrupt).toBe(false);
  });

  it("measures the level of a square wave", () => {
    expect(level(new Int16Array([16384, -16384]))).toBeCloseTo(0.5);
    expect(level(new Int16Array(0))).toBe(0);
  });
});
