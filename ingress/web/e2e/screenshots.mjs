// Pictures of every page of the learner, in both themes and languages, on phones and a desktop, to be looked at by a person.
//
// usage: node e2e/screenshots.mjs URL FOLDER [EMAIL PASSWORD]
//   EMAIL, PASSWORD   an account that is an analyst or an operator, whose pages are added

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { browser, FAKE_MICROPHONE, signIn, signUp } from "./chromium.mjs";

const [url, folder, email, password] = process.argv.slice(2);
const LOOKS = [
  { name: "desktop-light-en", width: 1440, height: 900, colorScheme: "light", language: "en" },
  { name: "desktop-dark-ko", width: 1440, height: 900, colorScheme: "dark", language: "ko" },
  { name: "phone-light-ko", width: 390, height: 844, colorScheme: "light", language: "ko" },
  { name: "phone-dark-en", width: 390, height: 844, colorScheme: "dark", language: "en" },
  { name: "narrow-light-ko", width: 320, height: 640, colorScheme: "light", language: "ko" },
];
const SENTENCES = [
  "This market is more better. I can see a old woman.",
  "She buy some oranges because she want to make juice.",
];

await mkdir(folder, { recursive: true });

/** Takes a page in every look. The page changes its language without a reload, so that its state stays. */
async function take(page, name, { whole = true } = {}) {
  for (const look of LOOKS) {
    await page.setViewportSize({ width: look.width, height: look.height });
    await page.emulateMedia({ colorScheme: look.colorScheme, reducedMotion: "reduce" });
    await page.evaluate(showLanguage, look.language);
    await page.waitForFunction(() => [...document.images].every((image) => image.complete));
    await page.screenshot({ path: path.join(folder, `${name}.${look.name}.png`), fullPage: whole });
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.evaluate(showLanguage, "en");
}

/** Runs in the page: changes the language as another tab does. */
function showLanguage(language) {
  globalThis.dispatchEvent(new StorageEvent("storage", { key: "nova.language", newValue: language }));
}

/** The pages of a visitor and of a newcomer. */
async function newcomer(page) {
  await page.goto(`${url}/sign-in`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await take(page, "01-sign-in");
  await page.goto(`${url}/sign-up`);
  await page.getByLabel("Name").waitFor();
  await take(page, "02-sign-up");
  await page.goto(`${url}/forgot`);
  await page.getByLabel("E-mail address").waitFor();
  await take(page, "03-forgot");
  await signUp(page, url, `pictures-${Date.now()}@nova.example`);
  await page.getByRole("link", { name: /street market/u }).waitFor();
  await take(page, "04-gallery", { whole: false });
  await page.getByRole("link", { name: /street market/u }).click();
  await page.getByText("Sound settings").click();
  await take(page, "05-preparation");
}

/** A conversation from the first word to the progress. */
async function conversation(page) {
  await page.getByRole("button", { name: "Start talking" }).click();
  const captions = page.getByRole("log").locator("p");
  await captions.first().waitFor();
  await take(page, "06-conversation", { whole: false });
  await page.getByRole("button", { name: "Type instead" }).click();
  for (const [at, sentence] of SENTENCES.entries()) {
    await page.getByLabel("Your sentence").fill(sentence);
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await captions.filter({ hasText: sentence }).waitFor();
    await captions
      .filter({ hasText: "Tutor:" })
      .nth(at + 1)
      .waitFor();
  }
  await take(page, "07-typing", { whole: false });
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("button", { name: "See the result" }).waitFor();
  await take(page, "08-over", { whole: false });
  await page.getByRole("button", { name: "See the result" }).click();
  await page.getByRole("heading", { name: "Scores" }).waitFor();
  await page.getByRole("region", { name: "Transcript" }).getByRole("listitem").first().waitFor();
  await take(page, "09-result");
  await page.getByRole("button", { name: "Say it again" }).first().click();
  await page.getByLabel(/from memory/u).fill("market");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await take(page, "10-exercise", { whole: false });
  await page.getByRole("link", { name: "Progress" }).click();
  await page.getByRole("link", { name: /A street market/u }).waitFor();
  await take(page, "11-progress");
  await page.getByRole("link", { name: "Account" }).click();
  await page.getByRole("heading", { name: "Profile" }).waitFor();
  await page.locator("summary", { hasText: "Two-step sign-in" }).click();
  await page.getByRole("button", { name: "Set up an authenticator" }).click();
  await page.getByText("Secret:").waitFor();
  await take(page, "12-account");
}

/** A microphone that the browser refuses. */
async function refused(page) {
  await signUp(page, url, `refused-${Date.now()}@nova.example`);
  await page.getByRole("link", { name: /street market/u }).click();
  await page.getByRole("button", { name: "Start talking" }).click();
  await page.getByRole("heading", { name: "The microphone cannot be used" }).waitFor();
  await take(page, "13-refused");
}

async function staff(page) {
  await page.goto(url);
  await signIn(page, email, password);
  await page.getByRole("heading", { name: "What do you see?" }).waitFor();
  const learners = page.getByRole("link", { name: "Learners" });
  const operation = page.getByRole("link", { name: "Operation" });
  await learners.or(operation).first().waitFor();
  if (await learners.isVisible()) {
    await learners.click();
    await page.getByRole("link", { name: "Mina" }).first().waitFor();
    await take(page, "20-learners");
    await page.getByRole("link", { name: "Mina" }).first().click();
    await page.getByRole("heading", { name: "Mina" }).waitFor();
    await take(page, "21-learner");
  }
  if (await operation.isVisible()) {
    await operation.click();
    await page.getByRole("link", { name: "Show its path" }).first().waitFor();
    await take(page, "30-operation");
    await page.getByRole("link", { name: "Show its path" }).first().click();
    await page.getByText("It has passed every stage.").waitFor();
    await take(page, "31-path");
  }
}

await browser(FAKE_MICROPHONE, async (page) => {
  await newcomer(page);
  await conversation(page);
});
await browser([], refused);
if (email !== undefined) await browser([], staff);
