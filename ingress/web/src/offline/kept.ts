/** The results that this browser keeps for the time without a connection: those that were opened last, of one learner. */

import { clear, createStore, del, entries, set } from "idb-keyval";
import type { Schemas } from "../api/client";

export interface KeptResult {
  readonly userId: string;
  readonly transcript: Schemas["TranscriptView"];
  readonly assessment: Schemas["AssessmentView"] | null;
  /** Milliseconds since the epoch. */
  readonly openedAt: number;
}

/** Results beyond this number are forgotten, those opened longest ago first. */
export const KEPT_MAX = 30;

const store = createStore("nova-results", "results");

/** Keeps a result under the id of its conversation. Results of another learner are forgotten. */
export async function keep(result: KeptResult): Promise<void> {
  const kept = await entries<string, KeptResult>(store);
  const others = kept.filter(([, { userId }]) => userId !== result.userId).map(([id]) => id);
  const id = result.transcript.conversationId;
  const past = surplus(kept.filter(([key, { userId }]) => key !== id && userId === result.userId));
  await Promise.all([...others, ...past].map((key) => del(key, store)));
  await set(id, result, store);
}

/** All of them, the latest conversation first. */
export async function keptResults(): Promise<KeptResult[]> {
  const kept = await entries<string, KeptResult>(store);
  return kept.map(([, result]) => result).sort((a, b) => b.transcript.startedAt.localeCompare(a.transcript.startedAt));
}

export function forget(conversationId: string): Promise<void> {
  return del(conversationId, store);
}

export function forgetAll(): Promise<void> {
  return clear(store);
}

/** PURE. The ids that leave room for one more. */
export function surplus(kept: readonly (readonly [string, Pick<KeptResult, "openedAt">])[]): string[] {
  const newestFirst = [...kept].sort(([, a], [, b]) => b.openedAt - a.openedAt);
  return newestFirst.slice(KEPT_MAX - 1).map(([id]) => id);
}
