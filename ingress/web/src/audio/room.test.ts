import { expect, it } from "vitest";
import { judge, type PlaybackFrame } from "./room";

const speaking = [...Array.from({ length: 30 }, () => 0.002), ...Array.from({ length: 70 }, () => 0.1)];
const playing = (level: number): PlaybackFrame[] => Array.from({ length: 100 }, () => ({ level, playback: 0.1 }));

it("a room without echo is clear, with the distance in decibels", () => {
  const room = judge(speaking, playing(0.001));
  expect(room.verdict).toBe("clear");
  expect(room.echoDb).toBeCloseTo(40);
});

it("a loudspeaker as loud as an interruption is an echo, a single knock is not", () => {
  expect(judge(speaking, playing(0.09)).verdict).toBe("echo");
  const knock = playing(0.001).with(7, { level: 0.5, playback: 0.1 });
  expect(judge(speaking, knock).verdict).toBe("clear");
});

it("silence is no voice", () => {
  expect(
    judge(
      Array.from({ length: 90 }, () => 0.001),
      playing(0.2),
    ),
  ).toEqual({ verdict: "silent", echoDb: null });
  expect(judge([], []).verdict).toBe("silent");
});
