// Chromium for the tests: pages that are watched for errors, what learners do in each of them, and the accessibility check.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const PASSWORD = "Correct-Horse-9";
/** The local user pool mails no code; it accepts this one. */
export const CODE = "123456";
const executablePath = process.env.NOVA_CHROMIUM ?? "/usr/bin/chromium";
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Chromium's microphone beeps, and every question about it is allowed. */
export const FAKE_MICROPHONE = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"];
const SLOW_MS = 60_000;
const NARROW = { width: 320, height: 640 };
const VIOLATION = /Content Security Policy|Trusted Type/iu;

/**
 * A browser whose pages fail no check of their content security policy, throw no error and load nothing from elsewhere.
 * `run` receives the first page, and a function that opens the page of another person with options of Playwright's context.
 */
export async function browser(args, run) {
  const instance = await chromium.launch({ executablePath, args: ["--no-sandbox", ...args] });
  const errors = [];
  const open = async (more = {}) => {
    const context = await instance.newContext({ locale: "en-US", viewport: { width: 1240, height: 900 }, ...more });
    context.on("request", (request) => isForeign(request.url()) && errors.push(`loads ${request.url()}`));
    const page = await context.newPage();
    page.setDefaultTimeout(SLOW_MS);
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => VIOLATION.test(message.text()) && errors.push(message.text()));
    return page;
  };
  try {
    await run(await open(), open);
    assert.deepEqual(errors, [], "errors on the page");
  } finally {
    await instance.close();
  }
}

/** Whether a request goes to another host. The service listens on this computer. */
function isForeign(url) {
  const { protocol, hostname } = new URL(url);
  return /^(https?|wss?):$/u.test(protocol) && hostname !== "127.0.0.1";
}

/** Creates an account in the page at `url` and waits for the gallery. */
export async function signUp(page, url, email) {
  await page.goto(url);
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByLabel("Name").fill("Mina");
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByLabel("Code").fill(CODE);
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.getByRole("heading", { name: "What do you see?" }).waitFor();
}

/** Signs in where a page that needs it shows the form. */
export async function signIn(page, email, password) {
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Opens the street market and starts the conversation. Echo cancellation and the like damage tones that stand for speech. */
export async function startTalking(page) {
  await page.getByRole("link", { name: /street market/u }).click();
  await page.getByText("Sound settings").click();
  await page.getByLabel(/Leave my sound as it is/u).check();
  await page.getByRole("button", { name: "Start talking" }).click();
}

/** Chromium's microphone plays this file. */
export function microphone(wav, loop = false) {
  return [...FAKE_MICROPHONE, `--use-file-for-fake-audio-capture=${wav}${loop ? "" : "%noloop"}`];
}

/** WCAG 2.2 AA by axe, in both themes, and nothing beside a window of 320 pixels (1.4.10). */
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
  const wide = page.viewportSize();
  await page.setViewportSize(NARROW);
  assert.deepEqual(await page.evaluate(beside), [], `beside a window of ${NARROW.width} pixels: ${name}`);
  await page.setViewportSize(wide);
}

/** Runs in the page: the elements that make it wider than its window, and controls that no scrolling reaches. */
function beside() {
  const { clientWidth, scrollWidth } = document.documentElement;
  const isBeside = (node) => node.getBoundingClientRect().right > clientWidth + 1;
  const scrolls = (node) =>
    node !== null && (/auto|scroll/u.test(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
  const all = scrollWidth > clientWidth ? [...document.querySelectorAll("body *")].filter(isBeside) : [];
  const controls = [...document.querySelectorAll("a, button, input, select, summary")];
  const lost = controls.filter((node) => isBeside(node) && !scrolls(node));
  return [...all, ...lost].map((node) => node.outerHTML.slice(0, 200));
}
