// A learner in a real browser: from sign-up to progress by voice, a lost connection, a refused microphone, the security of the account,
// accessibility.
//
// usage: node e2e/learner.mjs URL WAV WORDS ANALYST PASSWORD [NAME]
//   URL    the service, which serves the page
//   WAV    what the fake microphone plays from the moment it is opened
//   WORDS  what is said in it
//   ANALYST, PASSWORD   the account of an analyst
//   NAME   part of the name of the only scenario to run

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import {
  accessible,
  browser,
  CODE,
  FAKE_MICROPHONE,
  microphone,
  PASSWORD,
  signIn,
  signUp,
  startTalking,
} from "./chromium.mjs";
import { Network } from "./network.mjs";

const [service, wav, words, analyst, password, only] = process.argv.slice(2);
/** Typed while the connection is lost. */
const TYPED = "This market is more better.";
const BETTER = "This market is better.";
const NEW_PASSWORD = "Correct-Horse-8";

const network = new Network(service);
const url = await network.listen();

/** Every page that a newcomer meets before the first conversation. */
async function newcomer(page) {
  await page.goto(url);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await accessible(page, "sign-in");
  await page.getByRole("link", { name: /Forgot/u }).click();
  await page.getByRole("heading", { name: /password/u }).waitFor();
  await accessible(page, "forgotten password");
  await page.goto(`${url}/sign-up`);
  await page.getByLabel("Name").waitFor();
  await accessible(page, "sign-up");
  await page.getByLabel("Name").fill("Mina");
  await page.getByLabel("E-mail address").fill(`new-${Date.now()}@nova.example`);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByLabel("Code").waitFor();
  await page.getByText(`The code is ${CODE}.`).waitFor();
  await accessible(page, "confirmation");
  await page.getByLabel("Code").fill(CODE);
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.getByRole("link", { name: /street market/u }).waitFor();
  await accessible(page, "gallery");
  await page.getByRole("link", { name: /street market/u }).click();
  await page.getByText("Sound settings").click();
  await accessible(page, "preparation");
  await page.goto(`${url}/nowhere`);
  await page.getByRole("heading", { name: "This page does not exist." }).waitFor();
  await accessible(page, "no page");
  await page.getByRole("link", { name: "Progress" }).click();
  await page.getByRole("heading", { name: "Your progress" }).waitFor();
  await accessible(page, "progress before the first conversation");
}

const captions = (page) => page.getByRole("log").locator("p");

async function conversationByVoice(page, open) {
  const feed = await analystsFeed(await open());
  await signUp(page, url, `voice-${Date.now()}@nova.example`);
  await startTalking(page);
  await page.getByText("simulated").waitFor();
  await captions(page).filter({ hasText: words }).waitFor();
  await accessible(page, "conversation");
  // The tutor replies to what was said.
  await captions(page).nth(2).waitFor();
  network.fail();
  await page.getByText("The connection was lost").waitFor();
  // What is typed meanwhile is sent when the connection is back.
  await page.getByRole("button", { name: "Type instead" }).click();
  await page.getByLabel("Your sentence").fill(TYPED);
  await page.getByRole("button", { name: "Send", exact: true }).click();
  network.recover();
  await page.getByText("The connection is back").waitFor();
  await captions(page).filter({ hasText: TYPED }).waitFor();
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("button", { name: "See the result" }).click();
  await page.getByRole("heading", { name: "Scores" }).waitFor();
  const transcript = page.getByRole("region", { name: "Transcript" }).getByRole("listitem");
  // Transcript and scores load independently.
  await transcript.first().waitFor();
  const turns = await transcript.allInnerTexts();
  for (const sentence of [words, TYPED])
    assert.equal(turns.filter((text) => text.includes(sentence)).length, 1, `${sentence}, once: ${turns}`);
  await accessible(page, "result");
  await feed.shows(await page.getByRole("region", { name: "Scores" }).locator("strong").innerText());
  await sayAgain(page);
  await withoutConnection(page);
  await page.getByRole("link", { name: "Progress" }).click();
  await page.getByRole("link", { name: /A street market/u }).waitFor();
  await accessible(page, "progress");
  await page.getByRole("link", { name: "Account" }).click();
  await page.getByRole("heading", { name: "Profile" }).waitFor();
  await accessible(page, "account");
  await page.getByLabel("Language of this page").selectOption("ko");
  await page.getByRole("heading", { name: "계정", exact: true }).waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "ko");
  await page.getByRole("button", { name: "로그아웃", exact: true }).click();
  await page.getByRole("heading", { name: "로그인", exact: true }).waitFor();
  assert.equal(await page.evaluate(keptResults), 0, "results stay after the sign-out");
}

/** The page of an analyst in a browser of its own, opened before the conversation: the result appears without a reload. */
async function analystsFeed(page) {
  await page.goto(`${service}/learners`);
  await signIn(page, analyst, password);
  const feed = page.getByRole("region", { name: "Results as they arrive" });
  await feed.getByText("No result yet.").waitFor();
  await page.evaluate(() => (globalThis.sameDocument = true));
  const shows = async (overall) => {
    const result = feed.getByRole("listitem").filter({ hasText: `Overall ${overall}` });
    await result.getByRole("link", { name: "Mina" }).waitFor();
    assert.ok(await page.evaluate(() => globalThis.sameDocument), "the page was loaded again");
    await accessible(page, "learners");
    await result.getByRole("link", { name: "Mina" }).click();
    await page.getByRole("heading", { name: "Mina" }).waitFor();
    await accessible(page, "a learner");
    await page.context().close();
  };
  return { shows };
}

/** The correction as an exercise: the phrase is hidden, and missing words are marked. */
async function sayAgain(page) {
  const correction = page.getByRole("region", { name: "One thing to work on" });
  await correction.getByText(BETTER).waitFor();
  await correction.getByRole("button", { name: "Say it again" }).click();
  assert.equal(await correction.getByText(BETTER).count(), 0, "the exercise hides the phrase");
  const attempt = correction.getByLabel(/from memory/u);
  await attempt.fill("this is better");
  await correction.getByRole("button", { name: "Check" }).click();
  assert.deepEqual(await correction.locator("mark").allInnerTexts(), ["market"]);
  await accessible(page, "exercise");
  await attempt.fill("this market is better");
  await correction.getByRole("button", { name: "Check" }).click();
  await correction.getByText("Exactly right.").waitFor();
}

/** Runs in the page: the number of results that the browser keeps. */
function keptResults() {
  return new Promise((resolve, reject) => {
    const opened = indexedDB.open("nova-results");
    opened.addEventListener("error", () => reject(opened.error));
    opened.addEventListener("success", () => {
      const counted = opened.result.transaction("results").objectStore("results").count();
      counted.addEventListener("success", () => resolve(counted.result));
    });
  });
}

/** The page opens from the service worker and shows the kept result, until the connection is back. */
async function withoutConnection(page) {
  const result = page.url();
  await page.evaluate(() => navigator.serviceWorker.ready);
  assert.equal(await page.evaluate(keptResults), 1);
  network.fail();
  await page.goto(`${url}/progress`);
  await page.getByRole("heading", { name: "No connection" }).waitFor();
  await accessible(page, "offline");
  await page.getByRole("button", { name: /street-market/u }).click();
  await page.getByRole("heading", { name: "Scores" }).waitFor();
  await page.getByRole("region", { name: "Transcript" }).getByText(words).waitFor();
  await page.getByRole("button", { name: "Back" }).click();
  network.recover();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Your progress" }).waitFor();
  await page.goto(result);
  await page.getByRole("heading", { name: "Scores" }).waitFor();
}

/** The device beeps whatever is played: the check hears a voice, and the same level during playback. */
async function roomCheck(page) {
  await signUp(page, url, `room-${Date.now()}@nova.example`);
  await page.getByRole("link", { name: /street market/u }).click();
  const room = page.getByRole("region", { name: "Check your room" });
  await room.getByRole("button", { name: "Check the sound" }).click();
  await room.getByText("Speak now").waitFor();
  await room.getByText("Listen to yourself").waitFor();
  await room.getByText("The microphone hears the loudspeaker.").waitFor();
  await accessible(page, "room check");
  await room.getByRole("button", { name: "Take turns" }).click();
  await room.waitFor({ state: "detached" });
  await page.getByText("Sound settings").click();
  assert.ok(await page.getByLabel(/do not listen while the tutor speaks/u).isChecked());
}

/** A headset is unplugged, comes back by itself, and once only after a while. The microphone is heard while a button is held. */
async function changingMicrophone(page) {
  await page.addInitScript(() => {
    const { getUserMedia } = MediaDevices.prototype;
    MediaDevices.prototype.getUserMedia = async function (constraints) {
      if (globalThis.unplugged === true) throw new DOMException("no device", "NotFoundError");
      const stream = await getUserMedia.call(this, constraints);
      [globalThis.track] = stream.getAudioTracks();
      return stream;
    };
  });
  const end = (unplugged) =>
    page.evaluate((value) => {
      globalThis.unplugged = value;
      globalThis.track.dispatchEvent(new Event("ended"));
    }, unplugged);
  const isHeard = () => page.evaluate(() => globalThis.track.enabled);
  await signUp(page, url, `headset-${Date.now()}@nova.example`);
  await page.getByRole("link", { name: /street market/u }).click();
  await page.getByText("Sound settings").click();
  await page.getByLabel(/Hold the microphone button/u).check();
  await page.getByRole("button", { name: "Start talking" }).click();
  const button = page.getByRole("button", { name: "Hold to talk" });
  await button.waitFor();
  assert.equal(await isHeard(), false);
  await button.hover();
  await page.mouse.down();
  assert.equal(await isHeard(), true, "while a pointer holds the button");
  await page.mouse.up();
  assert.equal(await isHeard(), false);
  await button.focus();
  await page.keyboard.down("Space");
  assert.equal(await isHeard(), true, "while a key holds the button");
  await page.keyboard.up("Space");
  assert.equal(await isHeard(), false);

  await end(false);
  await page.getByText("The microphone works again.").waitFor();
  assert.equal(await isHeard(), false, "a new microphone is heard without the button");
  await end(true);
  await page.getByText("Your microphone or headset is switching.").waitFor();
  await page.getByText("The microphone was disconnected.").waitFor();
  await accessible(page, "microphone lost");
  await page.evaluate(() => (globalThis.unplugged = false));
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("The microphone works again.").waitFor();

  // What the page measured, when it is left.
  const sent = page.waitForResponse((response) => response.url().endsWith("/api/reports"));
  await page.evaluate(() => globalThis.dispatchEvent(new Event("pagehide")));
  const report = (await sent).request().postDataJSON();
  assert.equal((await sent).status(), 204);
  assert.ok(report.connectMs.length > 0, JSON.stringify(report));
}

/** From the gallery to the exercise without a pointer; a screen reader gets the learner's finished sentence. */
async function byKeyboard(page) {
  await signUp(page, url, `keys-${Date.now()}@nova.example`);
  const market = page.getByRole("link", { name: /street market/u });
  await market.waitFor();
  await tabTo(page, market);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "A street market" }).waitFor();
  await tabTo(page, page.getByRole("button", { name: "Start without a microphone" }));
  await page.keyboard.press("Enter");
  const field = page.getByLabel("Your sentence");
  await field.waitFor();
  await tabTo(page, field);
  await page.keyboard.type(TYPED);
  await page.keyboard.press("Enter");
  await captions(page).filter({ hasText: TYPED }).waitFor();
  await page.getByRole("status").filter({ hasText: TYPED }).waitFor({ state: "attached" });
  await tabTo(page, page.getByRole("button", { name: "End", exact: true }));
  await page.keyboard.press("Enter");
  const result = page.getByRole("button", { name: "See the result" });
  await result.waitFor();
  assert.ok(await hasFocus(result), "the way to the result has no focus");
  await page.keyboard.press("Enter");
  const again = page.getByRole("button", { name: "Say it again" });
  await again.waitFor();
  await tabTo(page, again);
  await page.keyboard.press("Enter");
  await page.getByLabel(/from memory/u).waitFor();
}

const hasFocus = (element) => element.evaluate((node) => node === document.activeElement);

/** Presses Tab until the element has the focus, which must be seen. */
async function tabTo(page, element) {
  for (let presses = 0; presses < 100; presses++) {
    if (await hasFocus(element)) {
      const outline = await element.evaluate((node) => getComputedStyle(node).outlineStyle);
      assert.notEqual(outline, "none", "the focus is not seen");
      return;
    }
    await page.keyboard.press("Tab");
  }
  assert.fail(`the keyboard does not reach ${element}`);
}

async function refusedMicrophone(page) {
  await signUp(page, url, `typing-${Date.now()}@nova.example`);
  await page.getByRole("link", { name: /street market/u }).click();
  await page.getByRole("button", { name: "Start talking" }).click();
  await page.getByRole("heading", { name: "The microphone cannot be used" }).waitFor();
  await accessible(page, "refused microphone");
  await page.getByRole("button", { name: "Continue by typing" }).click();
  await page.getByLabel("Your sentence").fill("I can see a stall with oranges.");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await captions(page).filter({ hasText: "I can see a stall with oranges." }).waitFor();
  await page.getByText("✓", { exact: true }).first().waitFor({ state: "attached" });
}

/** The renderer works under the policy of its page and shows every operation. */
async function apiReference(page) {
  const { paths } = await (await fetch(`${service}/api/openapi.json`)).json();
  const operations = Object.values(paths).flatMap((path) => Object.values(path).filter((part) => part.operationId));
  await page.goto(`${url}/api/docs`);
  await page.getByRole("heading", { name: /Nova English Learning/u }).waitFor();
  assert.equal(await page.locator(".opblock").count(), operations.length);
}

/** The code that an authenticator shows now (RFC 6238 with its defaults). */
function totp(secret) {
  const bits = [...secret].map((letter) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"),
  );
  const bytes = bits.join("").match(/.{8}/gu) ?? [];
  const key = Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac("sha1", key).update(counter).digest();
  const number = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

/** The list of sessions shows another browser and signs it out. */
async function sessionsOfTheAccount(page, open) {
  const email = `sessions-${Date.now()}@nova.example`;
  await signUp(page, url, email);
  const other = await open();
  await other.goto(url);
  await signIn(other, email, PASSWORD);
  await other.getByRole("heading", { name: "What do you see?" }).waitFor();
  await page.getByRole("link", { name: "Account" }).click();
  const sessions = page.getByRole("region", { name: "Where you are signed in" });
  await sessions.getByRole("listitem").nth(1).waitFor();
  assert.equal(await sessions.getByText("this browser").count(), 1);
  assert.equal(await sessions.getByText(/Chrome/u).count(), 2);
  await accessible(page, "account with sessions");
  await sessions.getByRole("button", { name: "Sign out there" }).click();
  await sessions.getByText("That browser was signed out.").waitFor();
  // The list is read again after the notice.
  await sessions.getByRole("listitem").nth(1).waitFor({ state: "detached" });
  assert.equal(await sessions.getByRole("listitem").count(), 1);
  await other.getByRole("link", { name: "Progress" }).click();
  await other.getByRole("heading", { name: "Sign in" }).waitFor();
}

async function securityOfTheAccount(page) {
  const email = `secure-${Date.now()}@nova.example`;
  await signUp(page, url, email);
  await page.getByRole("link", { name: "Account" }).click();

  // As if five minutes had passed. The question is asked and answered with the keyboard alone.
  let refusals = 2;
  await page.route("**/auth/password", async (route) => {
    if (refusals === 0) return route.continue();
    refusals -= 1;
    return route.fulfill({ status: 403, json: { code: "step_up_required" } });
  });
  await page.locator("summary", { hasText: "Change the password" }).click();
  await page.getByLabel("New password").fill(NEW_PASSWORD);
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Is it you?" });
  await dialog.waitFor();
  await accessible(page, "step-up");
  await page.keyboard.press("Escape");
  await page.getByText("For this change, the password is required again.").waitFor();
  await page.getByLabel("New password").press("Enter");
  await dialog.waitFor();
  const field = dialog.getByLabel("Your password");
  assert.ok(await field.evaluate((input) => input === document.activeElement), "the dialog has no focus");
  await page.keyboard.type("wrong");
  await page.keyboard.press("Enter");
  await dialog.getByText("The password is wrong.").waitFor();
  await field.fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByText("The password was changed.").waitFor();

  await page.locator("summary", { hasText: "Two-step sign-in" }).click();
  await page.getByRole("button", { name: "Set up an authenticator" }).click();
  await page.getByRole("img", { name: /QR code/u }).waitFor();
  const secret = await page.locator("form code").innerText();
  await page.getByLabel("Code", { exact: true }).fill(totp(secret));
  await page.getByRole("button", { name: "Continue" }).click();
  const codes = page.getByRole("region", { name: "Recovery codes" }).getByRole("listitem");
  await codes.nth(9).waitFor();
  await accessible(page, "recovery codes");
  const code = await codes.first().innerText();
  await page.getByRole("button", { name: "I have kept them" }).click();
  await codes.first().waitFor({ state: "detached" });
  await page.getByText("Recovery codes left: 10").waitFor();

  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await signIn(page, email, NEW_PASSWORD);
  await page.getByRole("button", { name: "Use a recovery code" }).click();
  await page.getByLabel("Recovery code").fill(code.toLowerCase());
  await accessible(page, "recovery code");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("link", { name: "Account" }).click();
  await page.locator("summary", { hasText: "Two-step sign-in" }).click();
  await page.getByText("Two-step sign-in is off.").waitFor();
}

const scenarios = [
  ["a newcomer", [], newcomer],
  ["a conversation by voice", microphone(wav), conversationByVoice],
  ["a room check", FAKE_MICROPHONE, roomCheck],
  ["a microphone that changes", FAKE_MICROPHONE, changingMicrophone],
  ["a conversation by keyboard", [], byKeyboard],
  ["a refused microphone", [], refusedMicrophone],
  ["the API reference", [], apiReference],
  ["the sessions of the account", [], sessionsOfTheAccount],
  ["the security of the account", [], securityOfTheAccount],
];
for (const [name, args, scenario] of scenarios.filter(([name]) => only === undefined || name.includes(only))) {
  await browser(args, scenario);
  console.log(`${name}: passed`);
}
network.close();
