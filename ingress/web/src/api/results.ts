/** Streams of server-sent events over `fetch`, because EventSource sends no token. */

import type { components } from "./generated/openapi";
import { accessToken } from "./session";
import { parseEvents, type ServerEvent } from "./sse";

type Schemas = components["schemas"];

/** An event of a stream: its name, and the data that the schema gives to that name. */
interface TypedEvent {
  readonly event: string;
  readonly data: unknown;
}

export type ResultEvent = Schemas["ResultEvent"]["event"];

/** Pauses between attempts after a lost stream, in milliseconds; after the last one the caller says so. */
const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 15_000];

/** Calls `handle` for each result of a conversation until `complete`; false if the stream could not be kept open. */
export function followResults(
  conversationId: string,
  handle: (event: ResultEvent) => void,
  signal: AbortSignal,
): Promise<boolean> {
  return follow<Schemas["ResultEvent"]>(
    `/api/conversations/${conversationId}/results`,
    ({ event }) => {
      handle(event);
      return event === "complete";
    },
    signal,
  );
}

/** Calls `handle` for each event of `path` until it returns true; false if the stream could not be kept open. */
export async function follow<E extends TypedEvent>(
  path: string,
  handle: (event: E) => boolean,
  signal: AbortSignal,
): Promise<boolean> {
  let lastId: string | null = null;
  for (let attempt = 0; attempt <= PAUSES_MS.length; attempt++) {
    await wait((PAUSES_MS[attempt - 1] ?? 0) * (0.5 + Math.random() / 2), signal);
    if (signal.aborted) return false;
    try {
      const headers: Record<string, string> = { authorization: `Bearer ${await accessToken()}` };
      if (lastId !== null) headers["last-event-id"] = lastId;
      const response = await fetch(path, { headers, signal });
      if (response.status === 204) return true;
      if (response.status === 403 || response.status === 404) return false;
      if (!response.ok || response.body === null) continue;
      for await (const event of events(response.body.pipeThrough(new TextDecoderStream()).getReader())) {
        attempt = 0;
        lastId = event.id ?? lastId;
        if (handle({ event: event.event, data: JSON.parse(event.data) } as E)) return true;
      }
    } catch {
      if (signal.aborted) return false;
    }
  }
  return false;
}

async function* events(reader: ReadableStreamDefaultReader<string>): AsyncGenerator<ServerEvent> {
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parsed = parseEvents(rest + value);
    rest = parsed.rest;
    yield* parsed.events;
  }
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
