import { expect, it } from "vitest";
import { saidWords } from "./vocabulary";

it("finds words in their inflected forms", () => {
  const said = saidWords(
    ["stall", "to bargain", "orange", "awning", "to carry", "to shop"],
    ["There are two stalls with oranges.", "A woman bargained while she carries a bag. They're shopping."],
  );
  expect([...said].sort()).toEqual(["orange", "stall", "to bargain", "to carry", "to shop"]);
});

it("finds nothing in nothing", () => expect(saidWords(["stall"], []).size).toBe(0));
