/** PURE. Measurements of the page until the next report: numbers only, within the bounds that the service accepts. */

import type { components } from "./generated/openapi";

export type Report = components["schemas"]["ClientReport"];
type Count = "underruns" | "echoes" | "errors";
type Time = "answerMs" | "connectMs";

const COUNT_MAX = 10_000;
const VALUES_MAX = 100;
const MS_MAX = 600_000;

export class ReportBuffer {
  #report: Report = {};

  count(what: Count, times = 1): void {
    if (times > 0) this.#report[what] = Math.min(COUNT_MAX, (this.#report[what] ?? 0) + Math.round(times));
  }

  /** The first values of a report count; later ones are left out. */
  time(what: Time, ms: number): void {
    const values = (this.#report[what] ??= []);
    if (values.length < VALUES_MAX && ms >= 0) values.push(Math.min(MS_MAX, Math.round(ms)));
  }

  /** The report, if there is something to report; the next one begins. */
  take(): Report | null {
    const report = this.#report;
    this.#report = {};
    return Object.keys(report).length === 0 ? null : report;
  }
}
