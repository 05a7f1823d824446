import { describe, expect, it } from "vitest";
import { heardCharacters } from "./captions";

const sentences = [
  { text: "Hello there.", startMs: 0 },
  { text: "What do you see?", startMs: 1000 },
];

describe("heardCharacters", () => {
  it("shows nothing before the audio", () => expect(heardCharacters(sentences, 0, 3000)).toBe(0));
  it("ends at a word", () => expect("Hello there.".slice(0, heardCharacters(sentences, 100, 3000))).toBe("Hello"));
  it("keeps whole sentences", () => {
    const heard = heardCharacters(sentences, 2000, 3000);
    expect("Hello there.What do you see?".slice(0, heard)).toBe("Hello there.What do you");
  });
  it("shows everything at the end", () => expect(heardCharacters(sentences, 3000, 3000)).toBe(28));
  it("shows a sentence without audio as not heard", () => expect(heardCharacters([sentences[0]!], 0, 0)).toBe(0));
});
