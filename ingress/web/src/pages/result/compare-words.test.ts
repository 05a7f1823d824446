import { expect, it } from "vitest";
import { compareWords } from "./compare-words";

const said = (phrase: string, attempt: string): string =>
  compareWords(phrase, attempt)
    .words.map((word) => (word.said ? word.text : `[${word.text}]`))
    .join(" ");

it("case, punctuation and the kind of apostrophe do not matter", () => {
  const { words, same } = compareWords("He doesn’t like apples.", "he doesn't  like APPLES");
  expect(same).toBe(true);
  expect(words.map((word) => word.text)).toEqual(["He", "doesn’t", "like", "apples."]);
});

it("missing and different words of the phrase are named", () => {
  expect(said("She has been there for two years.", "She was there since two years")).toBe(
    "She [has] [been] there [for] two years.",
  );
  expect(said("an apple", "")).toBe("[an] [apple]");
});

it("an additional or a moved word is not the phrase", () => {
  expect(compareWords("two red apples", "two very red apples").same).toBe(false);
  expect(compareWords("two red apples", "red two apples").same).toBe(false);
});
