import { expect, it } from "vitest";
import { parseEvents } from "./sse";

it("returns complete events and keeps the rest", () => {
  const { events, rest } = parseEvents('id: 1\nevent: transcript\ndata: {"a":1}\n\n: ping\n\nevent: comp');
  expect(events).toEqual([{ event: "transcript", data: '{"a":1}', id: "1" }]);
  expect(rest).toBe("event: comp");
});

it("joins lines of data and accepts CRLF", () => {
  expect(parseEvents("data: a\r\ndata: b\r\n\r\n").events).toEqual([{ event: "message", data: "a\nb", id: null }]);
});
