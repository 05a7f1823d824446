/**
 * PURE. What the page shows of a live conversation, as a function of what happened.
 *
 * The service's `turn` is the truth about what was said; captions are shown until it arrives.
 */

import { heardCharacters, type Sentence } from "../audio/captions";
import type { ServerMessage, Turn } from "../api/generated/server-message";

export type EndReason = Extract<ServerMessage, { type: "ended" }>["reason"];
export type LiveErrorCode = Extract<ServerMessage, { type: "error" }>["code"];

export type Phase = "connecting" | "live" | "away" | "ended" | "failed";

/** A sentence about the connection that the learner should read. */
export type Notice =
  | { readonly type: "reconnecting" }
  | { readonly type: "modelReconnecting" }
  | { readonly type: "kept"; readonly seconds: number }
  | { readonly type: "lost"; readonly seconds: number }
  | { readonly type: "sayAgain" }
  | { readonly type: "microphoneSwitching" | "microphoneBack" | "microphoneLost" }
  | { readonly type: "error"; readonly code: LiveErrorCode };

export interface LiveState {
  readonly phase: Phase;
  readonly simulated: boolean | null;
  readonly turns: readonly Turn[];
  /** The learner's words that are in no turn yet. */
  readonly learnerDraft: string;
  /** The tutor's planned sentences that are in no turn yet. */
  readonly sentences: readonly Sentence[];
  readonly generation: number;
  /** Audio of the present generation, in milliseconds. */
  readonly receivedMs: number;
  readonly playedMs: number;
  readonly playing: boolean;
  readonly speaking: boolean;
  /** The learner has finished and the tutor has not begun. */
  readonly waiting: boolean;
  readonly tutorBegins: boolean;
  readonly textSupported: boolean;
  /** When the time limit ends the conversation. */
  readonly endsAt: string | null;
  /** The same, once `endingSoon` has come. */
  readonly endingAt: string | null;
  readonly objectivesMet: readonly string[];
  readonly notice: Notice | null;
  readonly endReason: EndReason | null;
  /** A problem code of the API or a code of the live protocol. */
  readonly failure: string | null;
}

export type LiveEvent =
  | { readonly type: "message"; readonly message: ServerMessage }
  | { readonly type: "audio"; readonly generation: number; readonly ms: number }
  | { readonly type: "played"; readonly generation: number; readonly ms: number; readonly playing: boolean }
  | { readonly type: "speech"; readonly active: boolean }
  | { readonly type: "typed"; readonly text: string }
  | { readonly type: "away" }
  | { readonly type: "back"; readonly keptSeconds: number; readonly lostSeconds: number; readonly sayAgain: boolean }
  | { readonly type: "microphone"; readonly is: "switching" | "back" | "lost" }
  | { readonly type: "dismiss" }
  | { readonly type: "failed"; readonly code: string };

export const INITIAL: LiveState = {
  phase: "connecting",
  simulated: null,
  turns: [],
  learnerDraft: "",
  sentences: [],
  generation: 0,
  receivedMs: 0,
  playedMs: 0,
  playing: false,
  speaking: false,
  waiting: false,
  tutorBegins: false,
  textSupported: true,
  endsAt: null,
  endingAt: null,
  objectivesMet: [],
  notice: null,
  endReason: null,
  failure: null,
};

const MICROPHONE_NOTICES = {
  switching: "microphoneSwitching",
  back: "microphoneBack",
  lost: "microphoneLost",
} as const;

export function reduce(state: LiveState, event: LiveEvent): LiveState {
  switch (event.type) {
    case "message":
      return receive(state, event.message);
    case "audio":
      if (event.generation < state.generation) return state;
      return { ...inGeneration(state, event.generation), receivedMs: receivedIn(state, event.generation) + event.ms };
    case "played":
      if (event.generation !== state.generation) return state;
      return { ...state, playedMs: event.ms, playing: event.playing, waiting: event.playing ? false : state.waiting };
    case "speech":
      if (event.active === state.speaking) return state;
      return { ...state, speaking: event.active, waiting: !event.active && !state.playing };
    case "typed":
      return { ...state, learnerDraft: event.text, waiting: true };
    case "away":
      return { ...state, phase: "away", notice: { type: "reconnecting" }, playing: false };
    case "back":
      return { ...state, phase: "live", notice: returned(event) };
    case "microphone":
      return { ...state, notice: { type: MICROPHONE_NOTICES[event.is] } };
    case "dismiss":
      return { ...state, notice: null };
    case "failed":
      return { ...state, phase: "failed", failure: event.code, playing: false, speaking: false };
  }
}

function receive(state: LiveState, message: ServerMessage): LiveState {
  switch (message.type) {
    case "ready":
      return {
        ...inGeneration(state, message.generation),
        phase: "live",
        simulated: message.simulated ?? state.simulated,
        tutorBegins: message.tutorBegins ?? false,
        waiting: message.tutorBegins ?? false,
        endsAt: message.endsAt,
        textSupported: message.textSupported,
        objectivesMet: (message.objectivesMet ?? []).map((met) => met.objective),
      };
    case "model":
      return { ...state, simulated: message.simulated };
    case "caption":
      return message.speaker === "learner" ? heard(state, message.text, message.stage) : planned(state, message);
    case "turn":
      return turned(state, message.turn);
    case "objectiveMet":
      if (state.objectivesMet.includes(message.objective)) return state;
      return { ...state, objectivesMet: [...state.objectivesMet, message.objective] };
    case "endingSoon":
      return { ...state, endingAt: message.endsAt };
    case "flush":
      return inGeneration(state, message.generation);
    case "reconnecting":
      return { ...state, notice: { type: "modelReconnecting" } };
    case "resumed":
      return state.notice?.type === "modelReconnecting" ? { ...state, notice: null } : state;
    case "reconnect":
      return state;
    case "ended":
      return {
        ...state,
        phase: "ended",
        endReason: message.reason,
        notice: null,
        playing: false,
        speaking: false,
        waiting: false,
      };
    case "error":
      return { ...state, notice: { type: "error", code: message.code } };
    default:
      // A later minor version of the protocol may add messages.
      return state;
  }
}

function heard(state: LiveState, text: string, stage: "speculative" | "final"): LiveState {
  const draft = stage === "final" && state.learnerDraft !== "" ? `${state.learnerDraft} ${text}` : text;
  return { ...state, learnerDraft: draft, waiting: !state.playing };
}

function planned(state: LiveState, caption: Extract<ServerMessage, { type: "caption" }>): LiveState {
  // A final caption repeats a planned sentence; the turn will say what was heard of it.
  if (caption.stage === "final" || caption.generation < state.generation) return state;
  const here = inGeneration(state, caption.generation);
  return { ...here, sentences: [...here.sentences, { text: caption.text, startMs: here.receivedMs }] };
}

function turned(state: LiveState, turn: Turn): LiveState {
  if (state.turns.some((known) => known.index === turn.index)) return state;
  const turns = [...state.turns, turn].sort((a, b) => a.index - b.index);
  if (turn.speaker === "learner") return { ...state, turns, learnerDraft: "" };
  // The turn stands for the sentences that had been heard; those still to come stay.
  const rest = state.sentences.filter((sentence) => sentence.startMs >= state.playedMs && state.playing);
  return { ...state, turns, sentences: rest };
}

function inGeneration(state: LiveState, generation: number): LiveState {
  if (generation <= state.generation) return state;
  return { ...state, generation, receivedMs: 0, playedMs: 0, playing: false, sentences: [] };
}

function receivedIn(state: LiveState, generation: number): number {
  return generation === state.generation ? state.receivedMs : 0;
}

function returned(event: Extract<LiveEvent, { type: "back" }>): Notice | null {
  if (event.sayAgain) return { type: "sayAgain" };
  if (event.lostSeconds > 0) return { type: "lost", seconds: event.lostSeconds };
  return event.keptSeconds > 0.1 ? { type: "kept", seconds: event.keptSeconds } : null;
}

/** Who has the word. */
export function speaker(state: LiveState): "connecting" | "tutor" | "learner" | "thinking" | "listening" {
  if (state.phase === "connecting" || state.phase === "away") return "connecting";
  if (state.speaking) return "learner";
  if (state.playing) return "tutor";
  return state.waiting ? "thinking" : "listening";
}

/** The tutor's unfinished turn: what was heard, and what is still to be heard. */
export function tutorDraft(state: LiveState): { heard: string; planned: string } {
  const text = state.sentences.map((sentence) => sentence.text.trim()).join(" ");
  let heardCount = heardCharacters(state.sentences, state.playedMs, state.receivedMs);
  // One space joins two sentences.
  let seen = 0;
  for (const sentence of state.sentences.slice(0, -1)) {
    seen += sentence.text.length;
    if (heardCount >= seen) heardCount += sentence.text.trim().length - sentence.text.length + 1;
  }
  return { heard: text.slice(0, heardCount), planned: text.slice(heardCount) };
}
