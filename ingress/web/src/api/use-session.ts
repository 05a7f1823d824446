import { useSyncExternalStore } from "react";
import { currentSession, subscribe, type Session } from "./session";

/** The session, as React state. */
export function useSession(): Session {
  return useSyncExternalStore(subscribe, currentSession);
}
