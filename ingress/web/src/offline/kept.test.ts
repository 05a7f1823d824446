import { expect, it } from "vitest";
import { KEPT_MAX, surplus } from "./kept";

it("the results opened longest ago make room", () => {
  const kept = Array.from({ length: KEPT_MAX + 2 }, (_, age) => [`result-${age}`, { openedAt: 1000 - age }] as const);
  expect(surplus(kept.slice(0, KEPT_MAX - 1))).toEqual([]);
  expect(surplus(kept.toReversed())).toEqual([KEPT_MAX - 1, KEPT_MAX, KEPT_MAX + 1].map((age) => `result-${age}`));
});
