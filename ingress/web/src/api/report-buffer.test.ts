import { expect, it } from "vitest";
import { ReportBuffer } from "./report-buffer";

it("has numbers within the bounds of the service, and nothing when nothing happened", () => {
  const buffer = new ReportBuffer();
  expect(buffer.take()).toBeNull();
  buffer.count("underruns", 0);
  expect(buffer.take()).toBeNull();
  buffer.count("errors");
  buffer.count("underruns", 20_000);
  for (let i = 0; i < 200; i++) buffer.time("answerMs", 700_000.4);
  buffer.time("connectMs", 12.6);
  const report = buffer.take();
  expect(report).toMatchObject({ errors: 1, underruns: 10_000, connectMs: [13] });
  expect(report?.answerMs).toEqual(Array.from({ length: 100 }, () => 600_000));
  expect(buffer.take()).toBeNull();
});
