import { createIntl } from "react-intl";
import { describe, expect, it } from "vitest";
import { PROBLEM_CODES } from "../api/generated/problems";
import { en, type MessageId } from "./en";
import { ko } from "./ko";

const keys = Object.keys(en) as MessageId[];
const placeholders = (text: string): string[] => [...new Set(text.match(/\{\w+(?=[,}])/gu) ?? [])].sort();

describe("the texts", () => {
  it("exist for the problem codes of the API and for no others", () => {
    expect(PROBLEM_CODES.length).toBeGreaterThan(40);
    const texts = keys.filter((key) => key.startsWith("problem.")).map((key) => key.slice("problem.".length));
    expect(texts.sort()).toEqual([...PROBLEM_CODES, "offline", "retryAfter", "unexpected"].sort());
  });

  it("are complete in Korean, with the same values", () => {
    expect(Object.keys(ko).sort()).toEqual([...keys].sort());
    const different = keys.filter((key) => {
      const [a, b] = [placeholders(en[key]), placeholders(ko[key])];
      return b.some((value) => !a.includes(value)) || a.some((value) => !b.includes(value));
    });
    expect(different).toEqual([]);
  });

  it("use no plural form that Korean lacks", () => {
    const forms = Object.values(ko).filter((text) => /\bone \{/u.test(text));
    expect(forms).toEqual([]);
  });

  it("are valid messages", () => {
    const values = Object.fromEntries(keys.flatMap((key) => placeholders(en[key])).map((name) => [name.slice(1), 2]));
    for (const [locale, messages] of [
      ["en", en],
      ["ko", ko],
    ] as const) {
      const errors: unknown[] = [];
      const intl = createIntl({ locale, messages, onError: (error) => errors.push(error) });
      for (const id of keys) expect(intl.formatMessage({ id }, values)).not.toBe("");
      expect(errors).toEqual([]);
    }
  });
});
