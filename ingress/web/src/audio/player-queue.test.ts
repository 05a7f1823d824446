import { describe, expect, it } from "vitest";
import { PlayerQueue, QUEUE_SECONDS_MAX, SAMPLE_RATE_HZ } from "./player-queue";

const tone = (length: number, value = 16384): Int16Array => new Int16Array(length).fill(value);
const read = (queue: PlayerQueue, length: number): Float32Array => {
  const out = new Float32Array(length);
  queue.read(out);
  return out;
};

describe("PlayerQueue", () => {
  it("plays nothing before the reserve is filled", () => {
    const queue = new PlayerQueue();
    queue.push(0, tone(1279));
    expect(read(queue, 128).every((x) => x === 0)).toBe(true);
    queue.push(0, tone(1));
    expect(read(queue, 128).every((x) => x === 0.5)).toBe(true);
    expect(queue.played).toBe(128);
  });

  it("plays an answer that is shorter than the reserve", () => {
    const queue = new PlayerQueue();
    queue.push(0, tone(100));
    let heard = 0;
    for (let i = 0; i < 20; i++) heard += read(queue, 128).filter((x) => x !== 0).length;
    expect(heard).toBe(100);
  });

  it("drops old audio at a flush and when it arrives late, and fades the cut", () => {
    const queue = new PlayerQueue();
    queue.push(0, tone(4000));
    read(queue, 128);
    queue.flush(1);
    queue.push(0, tone(4000));
    const after = read(queue, 128);
    expect(Math.max(...after.subarray(0, 80))).toBeLessThan(0.5);
    expect(after.subarray(80).every((x) => x === 0)).toBe(true);
    expect(read(queue, 128).every((x) => x === 0)).toBe(true);
    expect(queue.played).toBe(0);
    expect(queue.waiting).toBe(0);
  });

  it("counts an underrun once and collects a larger reserve", () => {
    const queue = new PlayerQueue();
    queue.push(0, tone(1280));
    for (let i = 0; i < 11; i++) read(queue, 128);
    expect(queue.underruns).toBeLessThanOrEqual(1);
    queue.push(0, tone(1280));
    expect(read(queue, 128).every((x) => x === 0)).toBe(true);
    queue.push(0, tone(1920));
    expect(read(queue, 128).every((x) => x === 0.5)).toBe(true);
  });

  it("refuses what does not fit and counts it", () => {
    const queue = new PlayerQueue();
    queue.push(0, tone(QUEUE_SECONDS_MAX * SAMPLE_RATE_HZ + 7));
    expect(queue.dropped).toBe(7);
  });
});
