/**
 * The service worker that keeps the page's own files, and the prompt for a new version. A new version starts only when the learner
 * asks for it; pages with a live conversation do not show the prompt.
 */

import { useSyncExternalStore } from "react";
import { Workbox } from "workbox-window";
import { useI18n } from "../i18n/i18n";
import { Button, styles as ui } from "../ui/ui";

/** Time between two looks for a new version. */
const LOOK_MS = 3_600_000;
const SCRIPT = "/sw.js";

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): {
    createScriptURL(url: string): string;
  };
}

let worker: Workbox | null = null;
let waiting = false;
const listeners = new Set<() => void>();

/** Registers the service worker of a build; a development server has none. */
export function registerServiceWorker(): void {
  reloadOnceForMissingFiles();
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  worker = new Workbox(trusted(SCRIPT));
  worker.addEventListener("waiting", () => {
    waiting = true;
    for (const listener of listeners) listener();
  });
  worker.addEventListener("controlling", ({ isUpdate }) => {
    if (isUpdate === true) location.reload();
  });
  // Storage may be full or refused: the page works without a service worker.
  worker.register().catch(() => undefined);
  setInterval(() => void worker?.update().catch(() => undefined), LOOK_MS);
}

export function UpdatePrompt() {
  const { t } = useI18n();
  const isWaiting = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => waiting,
  );
  return (
    <div role="status">
      {isWaiting && (
        <div className={`${ui.banner} ${ui.row}`}>
          <p>{t("update.ready")}</p>
          <Button onClick={() => worker?.messageSkipWaiting()}>{t("update.start")}</Button>
        </div>
      )}
    </div>
  );
}

/** The URL of a script, as the content security policy requires it: the policy `nova` passes this one only. */
function trusted(script: string): string {
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  if (types === undefined) return script;
  const createScriptURL = (url: string): string => {
    if (url !== SCRIPT) throw new TypeError(`${url} is not the service worker`);
    return url;
  };
  return types.createPolicy("nova", { createScriptURL }).createScriptURL(script);
}

/** A page that is older than the files on the server is loaded again, once. */
function reloadOnceForMissingFiles(): void {
  const KEY = "nova.reloaded";
  window.addEventListener("vite:preloadError", (event) => {
    if (sessionStorage.getItem(KEY) !== null) return;
    sessionStorage.setItem(KEY, "");
    event.preventDefault();
    location.reload();
  });
}
