// A learner who speaks with a voice, through the browser's own echo cancellation and noise suppression: the tutor understands and
// goes on with the picture.
//
// usage: node e2e/speech.mjs URL WAV SENTENCE...
//   WAV        the sentences, each after the time of the tutor's reply
//   SENTENCE   what is said

import assert from "node:assert/strict";
import { browser, microphone, signUp } from "./chromium.mjs";

const [url, wav, ...sentences] = process.argv.slice(2);
/** Share of the words that must be recognised. A small recogniser hears them through the browser's processing. */
const RECOGNISED_MIN = 0.7;

await browser(microphone(wav), async (page) => {
  await signUp(page, url, `speech-${Date.now()}@nova.example`);
  await page.getByRole("link", { name: /street market/u }).click();
  const transcript = page.waitForResponse((response) => response.url().endsWith("/transcript") && response.ok());
  await page.getByRole("button", { name: "Start talking" }).click();
  const captions = page.getByRole("log").locator("p");
  const replies = captions.filter({ hasText: "Tutor:" });
  for (const [at, sentence] of sentences.entries()) {
    // One turn of the learner and the whole reply to it.
    await captions.filter({ hasText: "You:" }).nth(at).waitFor();
    await replies.nth(at + 1).waitFor();
    console.log(`said ${sentence} heard ${(await captions.allInnerTexts()).join(" / ").replaceAll("\n", " ")}`);
  }
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("button", { name: "See the result" }).click();
  const { turns } = await (await transcript).json();
  const learner = turns.filter(({ speaker }) => speaker === "learner").map(({ text }) => text);
  assert.equal(learner.length, sentences.length, `turns of the learner: ${learner.join(" / ")}`);
  for (const [at, sentence] of sentences.entries()) {
    const share = recognised(sentence, learner[at]);
    assert.ok(share >= RECOGNISED_MIN, `${share} of the words of "${sentence}" in "${learner[at]}"`);
  }
  const tutor = turns.filter(({ speaker }) => speaker === "tutor").map(({ text }) => text);
  for (const text of tutor) assert.doesNotMatch(text, /cannot read|did not understand|did not reach me/u);
  assert.equal(new Set(tutor).size, sentences.length + 1, `a greeting and two different replies: ${tutor.join(" / ")}`);
  // A reply takes up what was said about the picture.
  assert.match(tutor.slice(1).join(" "), /market|apples|basket|vegetables/u);
});

/** The share of the words of a sentence that are in a text. */
function recognised(sentence, text) {
  const words = (value) => value.toLowerCase().match(/[a-z']+/gu) ?? [];
  const heard = new Set(words(text));
  const said = words(sentence);
  return said.filter((word) => heard.has(word)).length / said.length;
}
