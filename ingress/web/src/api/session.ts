/**
 * The learner's session: the access token in memory, its renewal by the cookie, and the state that pages show.
 *
 * The token is never stored: a reload renews it. Several requests that need a renewal share one.
 */

import type { components } from "./generated/openapi";

type Access = components["schemas"]["Access"];
export type User = components["schemas"]["User"];

/** `offline`: the service could not be reached, so nobody knows yet whether there is a session. */
export type Session =
  | { readonly state: "unknown" }
  | { readonly state: "offline" }
  | { readonly state: "signedOut" }
  | { readonly state: "signedIn"; readonly user: User };

/** A token is renewed this long before it expires. */
const RENEW_BEFORE_MS = 60_000;

let session: Session = { state: "unknown" };
let token = "";
let expiresAt = 0;
let renewal: Promise<boolean> | null = null;
const listeners = new Set<() => void>();

export function currentSession(): Session {
  return session;
}

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function signedIn(access: Access): void {
  token = access.accessToken;
  expiresAt = Date.now() + access.expiresIn * 1000;
  change({ state: "signedIn", user: access.user });
}

export function signedOut(): void {
  token = "";
  expiresAt = 0;
  change({ state: "signedOut" });
}

/** The access token, renewed if it expires soon; empty when nobody is signed in. */
export async function accessToken(): Promise<string> {
  if (token === "" || Date.now() > expiresAt - RENEW_BEFORE_MS) await renew();
  return token;
}

/** Renews the session by its cookie; false when there is none. A network error leaves the session as it is. */
export function renew(): Promise<boolean> {
  renewal ??= requestRenewal().finally(() => {
    renewal = null;
  });
  return renewal;
}

async function requestRenewal(): Promise<boolean> {
  let response: Response;
  try {
    response = await fetch("/auth/refresh", { method: "POST", headers: { "x-nova-csrf": "1" } });
  } catch {
    if (session.state === "unknown") change({ state: "offline" });
    return false;
  }
  if (response.ok) {
    signedIn((await response.json()) as Access);
    return true;
  }
  if (response.status === 401 || response.status === 403) signedOut();
  return false;
}

function change(next: Session): void {
  session = next;
  for (const listener of listeners) listener();
}
