import { describe, expect, it } from "vitest";
import type { ServerMessage, Turn } from "../api/generated/server-message";
import { INITIAL, reduce, speaker, tutorDraft, type LiveEvent, type LiveState } from "./state";

const message = (value: ServerMessage): LiveEvent => ({ type: "message", message: value });
const readyMessage = {
  type: "ready",
  conversationId: "c",
  generation: 0,
  tutorBegins: true,
  endsAt: "2026-11-28T10:00:00Z",
  textSupported: true,
} as const satisfies ServerMessage;
const ready = message(readyMessage);
const caption = (text: string, generation = 0): LiveEvent =>
  message({ type: "caption", speaker: "tutor", stage: "speculative", text, generation });
const turn = (index: number, by: "learner" | "tutor", text: string): LiveEvent =>
  message({
    type: "turn",
    turn: { index, speaker: by, text, startMs: 0, endMs: 1, speechMs: 1, interrupted: false } satisfies Turn,
  });
const run = (...events: LiveEvent[]): LiveState => events.reduce(reduce, INITIAL);

describe("a live conversation", () => {
  it("begins with the tutor when the service says so", () => {
    expect(speaker(run(ready))).toBe("thinking");
    expect(speaker(run(ready, { type: "played", generation: 0, ms: 10, playing: true }))).toBe("tutor");
  });

  it("shows the tutor's words as they are heard", () => {
    const state = run(
      ready,
      caption("Hello there."),
      { type: "audio", generation: 0, ms: 1000 },
      caption("What do you see?"),
      { type: "audio", generation: 0, ms: 2000 },
      { type: "played", generation: 0, ms: 1500, playing: true },
    );
    expect(tutorDraft(state)).toEqual({ heard: "Hello there. What", planned: " do you see?" });
  });

  it("replaces planned words by the turn", () => {
    const state = run(ready, caption("Hello there, my friend."), turn(0, "tutor", "Hello there"));
    expect(state.turns.map((t) => t.text)).toEqual(["Hello there"]);
    expect(tutorDraft(state)).toEqual({ heard: "", planned: "" });
  });

  it("ticks each objective once, and keeps the ticks of another socket", () => {
    const met = (objective: string): LiveEvent =>
      message({ type: "objectiveMet", objective, quote: "a red hat", turn: 1 });
    expect(run(ready, met("Use colours"), met("Use colours")).objectivesMet).toEqual(["Use colours"]);
    const again = message({ ...readyMessage, objectivesMet: [{ objective: "Describe people", turn: 1 }] });
    expect(run(ready, met("Use colours"), again).objectivesMet).toEqual(["Describe people"]);
  });

  it("knows the time of the end once it is near", () => {
    expect(run(ready).endingAt).toBeNull();
    expect(run(ready, message({ type: "endingSoon", endsAt: "2026-11-28T10:00:00Z" })).endingAt).not.toBeNull();
  });

  it("drops what was planned at a flush, and late audio of the old generation", () => {
    const state = run(ready, caption("Hello."), message({ type: "flush", generation: 1 }), {
      type: "audio",
      generation: 0,
      ms: 500,
    });
    expect(state.sentences).toEqual([]);
    expect(state.receivedMs).toBe(0);
  });

  it("counts a turn once when it is received again after a reconnect", () => {
    const state = run(ready, turn(0, "tutor", "Hi"), turn(1, "learner", "Hello"), ready, turn(1, "learner", "Hello"));
    expect(state.turns).toHaveLength(2);
  });

  it("says what was kept, lost, or must be said again", () => {
    const back = { type: "back", keptSeconds: 2.1, lostSeconds: 0, sayAgain: false } as const;
    expect(run(ready, { type: "away" }, back).notice).toEqual({ type: "kept", seconds: 2.1 });
    expect(run(ready, { type: "away" }, { ...back, lostSeconds: 3 }).notice).toEqual({ type: "lost", seconds: 3 });
    expect(run(ready, { type: "away" }, { ...back, sayAgain: true }).notice).toEqual({ type: "sayAgain" });
  });

  it("ignores a message of a later version", () => {
    const later = { type: "hint", text: "…" } as unknown as ServerMessage;
    expect(run(ready, message(later))).toEqual(run(ready));
  });
});
