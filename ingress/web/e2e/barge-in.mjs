// A learner interrupts the tutor by voice: how long the old audio is still heard, and where the recording of an interrupted turn
// stops.
//
// usage: node e2e/barge-in.mjs URL WAV
//   WAV  speech without a pause, which the fake microphone repeats

import assert from "node:assert/strict";
import { browser, microphone, signUp, startTalking } from "./chromium.mjs";
import {
  audioAfterFlush,
  flushed,
  flushes,
  recordingEnd,
  recordPlayback,
  SCRIPTS,
  tutorHasMuchToSay,
} from "./playback.mjs";
import { Network } from "./network.mjs";

const [service, wav] = process.argv.slice(2);
const network = new Network(service, SCRIPTS);
const url = await network.listen();
/** The last one with a slower tutor, whose audio passes through one more buffer. */
const ROUNDS = 4;
/** Sound behind a `flush`, on the clock of the audio, without the latency of the device. */
const SOUND_SECONDS_MAX = 0.1;
/** Enough for the hint of the page, and for the audio that must not be heard. */
const WAITING_SECONDS = 1.5;

const SENTENCE = "I can see a stall with oranges.";
/** Tolerance of the end of a recording: the browser checks it about four times a second. */
const END_TOLERANCE_SECONDS = 0.3;

await browser(microphone(wav, true), async (page) => {
  await recordPlayback(page);
  await signUp(page, url, `barge-in-${Date.now()}@nova.example`);
  await startTalking(page);
  await page.getByRole("button", { name: "Mute the microphone" }).click();
  await page.getByRole("button", { name: "Type instead" }).click();
  await say(page);
  for (let round = 0; round < ROUNDS; round++) {
    if (round === ROUNDS - 1) await page.getByRole("button", { name: "Tutor's pace" }).click();
    await interruptByVoice(page);
  }
  const measured = await flushes(page);
  console.log(`sound behind a flush: ${measured.map(({ sound }) => `${Math.round(sound * 1000)} ms`).join(", ")}`);
  // A flush after the last word proves nothing.
  const proofs = measured.filter(({ waiting }) => waiting > 2 * SOUND_SECONDS_MAX);
  assert.ok(proofs.length >= ROUNDS, `of ${measured.length} flushes only ${proofs.length} had audio to drop`);
  for (const { sound } of measured) {
    assert.ok(sound <= SOUND_SECONDS_MAX, `the old audio was heard for ${sound} s after the flush`);
  }
  const transcript = page.waitForResponse((response) => response.url().endsWith("/transcript") && response.ok());
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("button", { name: "See the result" }).click();
  await playToTheLastWordHeard(page, (await (await transcript).json()).turns);
});
network.close();

/** Speaks over the tutor, and then makes the tutor speak again: the words were cut, so they may be none. */
async function interruptByVoice(page) {
  await tutorHasMuchToSay(page, WAITING_SECONDS);
  const before = (await flushes(page)).length;
  await page.getByRole("button", { name: "Unmute the microphone" }).click();
  await flushed(page, before);
  await page.getByRole("button", { name: "Mute the microphone" }).click();
  await say(page);
  await audioAfterFlush(page, before);
}

async function say(page) {
  await page.getByLabel("Your sentence").fill(SENTENCE);
  await page.getByRole("button", { name: "Send", exact: true }).click();
}

/** The recording of an interrupted turn has more than the learner heard, and stops there. */
async function playToTheLastWordHeard(page, turns) {
  const interrupted = turns.filter(({ speaker, playedMs }) => speaker === "tutor" && playedMs > 0);
  const turn = interrupted.sort((a, b) => a.playedMs - b.playedMs)[0];
  assert.ok(turn !== undefined, "no turn of the tutor was interrupted");
  const item = page.getByRole("region", { name: "Transcript" }).getByRole("listitem").nth(turns.indexOf(turn));
  await item.getByRole("button").click();
  const { end, duration } = await recordingEnd(page);
  const heard = turn.playedMs / 1000;
  assert.ok(
    duration > heard + END_TOLERANCE_SECONDS,
    `the recording of ${duration} s has no more than the ${heard} s heard`,
  );
  assert.ok(
    Math.abs(end - heard) < END_TOLERANCE_SECONDS,
    `the recording stops at ${end} s, and ${heard} s were heard`,
  );
}
