import { describe, expect, it } from "vitest";
import { HISTORY_SECONDS, MicrophoneHistory } from "./history";

const counted = (from: number, length: number): Int16Array => Int16Array.from({ length }, (_, i) => from + i);

describe("MicrophoneHistory", () => {
  it("returns exactly what was not received", () => {
    const history = new MicrophoneHistory(100);
    history.push(counted(0, 50));
    history.push(counted(50, 50));
    expect([...history.since(97).samples]).toEqual([97, 98, 99]);
    expect(history.since(100).samples).toHaveLength(0);
  });

  it("says how much is too old", () => {
    const history = new MicrophoneHistory(10);
    const size = HISTORY_SECONDS * 10;
    history.push(counted(0, size + 5));
    const { samples, lost } = history.since(2);
    expect(lost).toBe(3);
    expect(samples).toHaveLength(size);
    expect(samples[0]).toBe(5);
  });
});
