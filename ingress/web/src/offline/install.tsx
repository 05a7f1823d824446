/** How to install the page as an app: a button where the browser offers it, the steps on an iPhone or iPad. */

import { useEffect, useState } from "react";
import { useI18n } from "../i18n/i18n";
import { Button, styles as ui } from "../ui/ui";

/** Chromium's event before it would offer the installation itself. */
interface InstallEvent extends Event {
  prompt(): Promise<unknown>;
}

let offered: InstallEvent | null = null;
const listeners = new Set<(event: InstallEvent | null) => void>();

/** Keeps the offer of the browser, which comes once and early. */
export function keepInstallOffer(): void {
  const change = (event: InstallEvent | null): void => {
    offered = event;
    for (const listener of listeners) listener(event);
  };
  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    change(event as InstallEvent);
  });
  window.addEventListener("appinstalled", () => change(null));
}

export function Install() {
  const { t } = useI18n();
  const [offer, setOffer] = useState(offered);
  useEffect(() => {
    listeners.add(setOffer);
    return () => {
      listeners.delete(setOffer);
    };
  }, []);
  const installed = matchMedia("(display-mode: standalone)").matches;
  if (installed || (offer === null && !isIos())) return null;
  return (
    <section className={ui.panel} aria-labelledby="install">
      <h2 id="install">{t("install.title")}</h2>
      <p>{t(offer === null ? "install.ios" : "install.lead")}</p>
      {offer !== null && <Button onClick={() => void offer.prompt()}>{t("install.start")}</Button>}
    </section>
  );
}

/** An iPad says that it is a Mac, and is the only one with touch points. */
function isIos(): boolean {
  const { userAgent, maxTouchPoints } = navigator;
  return /iPhone|iPad/u.test(userAgent) || (userAgent.includes("Macintosh") && maxTouchPoints > 1);
}
