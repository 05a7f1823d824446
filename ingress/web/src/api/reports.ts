/** Reports what the page measured, at most once a minute and when it is left. A report has numbers and no words. */

import { ReportBuffer } from "./report-buffer";

const INTERVAL_MS = 60_000;

export const reports = new ReportBuffer();

export function startReports(): void {
  window.addEventListener("error", () => reports.count("errors"));
  window.addEventListener("unhandledrejection", () => reports.count("errors"));
  window.addEventListener("pagehide", send);
  setInterval(send, INTERVAL_MS);
}

/** A report that is lost is not sent again. It outlives the page. */
function send(): void {
  const report = reports.take();
  if (report === null) return;
  const headers = { "content-type": "application/json" };
  fetch("/api/reports", { method: "POST", keepalive: true, headers, body: JSON.stringify(report) }).catch(
    () => undefined,
  );
}
