/** PURE. What is wrong, the most urgent first, out of the lists that an operator's stream sends. */

import type { components } from "../../api/generated/openapi";

type Schemas = components["schemas"];
type OpsEvent = Schemas["OpsEvent"];
export type Source = Schemas["Source"];
type Severity = Schemas["Severity"];

/** The latest lists. A list that was not sent yet is missing; one that cannot be read is named, and is out of date. */
export interface Lists {
  readonly queues?: Schemas["Queues"];
  readonly workers?: Schemas["Workers"];
  readonly alarms?: Schemas["Alarms"];
  readonly alerts?: readonly Schemas["AlertRecord"][];
  readonly unavailable: readonly Source[];
}

export interface Problem {
  readonly kind: "alarm" | "silent" | "breakerOpen" | "deadLetters" | "unavailable";
  readonly severity: Severity;
  /** The alarm, services, queue or list. */
  readonly subject: string;
  /** The sentence of an alarm, in English. */
  readonly summary?: string;
  readonly since?: string;
  readonly count?: number;
  readonly runbook?: Schemas["Runbook"];
  /** The command to begin with. */
  readonly command: string;
}

export const NOTHING: Lists = { unavailable: [] };
const URGENCY: readonly Severity[] = ["critical", "warning", "info"];
const DEAD_LETTER_QUEUE = /^nova-(?:\w+-)?([a-z_]+)-dlq$/u;
const RUNBOOK = "dead-letters.md";

/** The lists after an event. */
export function received(lists: Lists, event: OpsEvent): Lists {
  if (event.event === "unavailable") {
    const unavailable = new Set<Source>([...lists.unavailable, event.data]);
    return { ...lists, unavailable: [...unavailable] };
  }
  const unavailable = lists.unavailable.filter((source) => source !== event.event);
  return { ...lists, [event.event]: event.data, unavailable };
}

export function problems(lists: Lists): readonly Problem[] {
  const alarms = (lists.alarms?.items ?? []).filter((alarm) => alarm.state === "alarm");
  const all: Problem[] = alarms.map((alarm) => ({
    kind: "alarm",
    severity: alarm.severity,
    subject: alarm.name,
    summary: alarm.summary,
    since: alarm.since,
    ...(alarm.runbook ? { runbook: alarm.runbook } : {}),
    command: command(alarm.watches ?? ""),
  }));
  for (const state of ["silent", "breaker_open"] as const) {
    const services = (lists.workers?.items ?? []).filter((worker) => worker.state === state);
    if (services.length === 0) continue;
    all.push({
      kind: state === "silent" ? "silent" : "breakerOpen",
      severity: "critical",
      // One cause often stops several.
      subject: services.map((worker) => worker.service).join(", "),
      runbook: { page: RUNBOOK, heading: "A queue grows" },
      command: "nova ops queues",
    });
  }
  for (const { queue, deadLetters } of lists.queues?.items ?? []) {
    const hasAlarm = alarms.some((alarm) => DEAD_LETTER_QUEUE.exec(alarm.watches ?? "")?.[1] === queue);
    if (deadLetters === 0 || hasAlarm) continue;
    all.push({
      kind: "deadLetters",
      severity: "warning",
      subject: queue,
      count: deadLetters,
      runbook: { page: RUNBOOK, heading: "There is a dead letter" },
      command: `nova ops dlq explain ${queue}`,
    });
  }
  for (const source of lists.unavailable)
    all.push({ kind: "unavailable", severity: "warning", subject: source, command: "nova ops queues" });
  return all.sort((a, b) => URGENCY.indexOf(a.severity) - URGENCY.indexOf(b.severity));
}

/** The state of a queue by the alarms over it and over its dead letters. */
export function queueState(queue: string, lists: Lists): "fine" | "alarm" | "unknown" {
  if (lists.alarms === undefined) return "unknown";
  const watched = new RegExp(`^nova-(?:\\w+-)?${queue}(?:-dlq)?$`, "u");
  return lists.alarms.items.some((alarm) => alarm.state === "alarm" && watched.test(alarm.watches ?? ""))
    ? "alarm"
    : "fine";
}

function command(watches: string): string {
  const queue = DEAD_LETTER_QUEUE.exec(watches)?.[1];
  return queue === undefined ? "nova ops queues" : `nova ops dlq explain ${queue}`;
}
