// Chromium for the tests: a page that must throw no error and fail no check of its policy, and the accessibility check.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const PASSWORD = "Correct-Horse-9";
/** The local user pool mails no code; it accepts this one. */
export const CODE = "123456";
const executablePath = process.env.NOVA_CHROMIUM ?? "/usr/bin/chromium";
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SLOW_MS = 60_000;
const VIOLATION = /Content Security Policy|Trusted Type/iu;

/** A browser whose page has failed no check of its content security policy and thrown no error. */
export async function browser(args, run) {
  const instance = await chromium.launch({ executablePath, args: ["--no-sandbox", ...args] });
  try {
    const context = await instance.newContext({ locale: "en-US", viewport: { width: 1240, height: 900 } });
    const page = await context.newPage();
    page.setDefaultTimeout(SLOW_MS);
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => VIOLATION.test(message.text()) && errors.push(message.text()));
    await run(page);
    assert.deepEqual(errors, [], "errors on the page");
  } finally {
    await instance.close();
  }
}

/** WCAG 2.2 AA by axe, in both themes. */
export async function accessible(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.evaluate(axe);
    const violations = await page.evaluate(async () => {
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
      const result = await globalThis.axe.run(document, { runOnly: { type: "tag", values: tags } });
      return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
    });
    assert.deepEqual(violations, [], `accessibility of ${name}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "no-preference" });
}
