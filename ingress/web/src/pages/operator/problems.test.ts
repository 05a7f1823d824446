import { describe, expect, it } from "vitest";
import type { components } from "../../api/generated/openapi";
import { NOTHING, problems, queueState, received, type Lists } from "./problems";

type Schemas = components["schemas"];

const alarm = (watches: string, state: Schemas["AlarmState"], severity: Schemas["Severity"]): Schemas["AlarmView"] => ({
  name: `${watches}-alarm`,
  state,
  severity,
  summary: "It does not work.",
  since: "2026-11-28T12:00:00Z",
  reason: "",
  watches,
});
const worker = (service: string, state: Schemas["Condition"]): Schemas["WorkerState"] => ({
  service,
  state,
  processes: 1,
  inFlight: 0,
  perMinute: 0,
});

const lists = (parts: Partial<Lists>): Lists => ({ ...NOTHING, ...parts });

describe("what is wrong", () => {
  it("is nothing while all is well or not known yet", () => {
    expect(problems(NOTHING)).toEqual([]);
    const well = lists({
      alarms: { items: [alarm("nova-transcript", "ok", "critical"), alarm("nova-x", "insufficient_data", "warning")] },
      workers: { items: [worker("ingress", "running")] },
      queues: { items: [{ queue: "transcript", deadLetters: 0, waiting: 7 }] },
    });
    expect(problems(well)).toEqual([]);
    expect(queueState("transcript", well)).toBe("fine");
    expect(queueState("transcript", NOTHING)).toBe("unknown");
  });

  it("comes with the most urgent first and one command each", () => {
    const found = problems(
      lists({
        alarms: {
          items: [alarm("nova-transcript", "alarm", "warning"), alarm("nova-alerts-dlq", "alarm", "critical")],
        },
        workers: {
          items: [worker("ingress", "silent"), worker("analysis", "breaker_open"), worker("alerts", "silent")],
        },
        unavailable: ["alerts"],
      }),
    );
    expect(found.map((problem) => [problem.severity, problem.kind, problem.command])).toEqual([
      ["critical", "alarm", "nova ops dlq explain alerts"],
      ["critical", "silent", "nova ops queues"],
      ["critical", "breakerOpen", "nova ops queues"],
      ["warning", "alarm", "nova ops queues"],
      ["warning", "unavailable", "nova ops queues"],
    ]);
    expect(found[1]?.subject).toBe("ingress, alerts");
  });

  it("names dead letters once, of every stage", () => {
    const queues = { items: [{ queue: "analysis", deadLetters: 2, waiting: 0 }] };
    expect(problems(lists({ queues }))).toMatchObject([{ kind: "deadLetters", subject: "analysis", count: 2 }]);
    for (const watches of ["nova-analysis-dlq", "nova-staging-analysis-dlq"]) {
      const raised = lists({ queues, alarms: { items: [alarm(watches, "alarm", "critical")] } });
      expect(problems(raised).map((problem) => problem.kind)).toEqual(["alarm"]);
      expect(queueState("analysis", raised)).toBe("alarm");
      expect(queueState("progress", raised)).toBe("fine");
    }
  });
});

it("a list that cannot be read is out of date until it comes again", () => {
  const first = received(NOTHING, { event: "queues", data: { items: [] } });
  const lost = received(received(first, { event: "unavailable", data: "queues" }), {
    event: "unavailable",
    data: "queues",
  });
  expect(lost).toEqual({ queues: { items: [] }, unavailable: ["queues"] });
  expect(received(lost, { event: "queues", data: { items: [] } }).unavailable).toEqual([]);
});
