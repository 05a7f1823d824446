/**
 * PURE. When each word of the tutor is heard.
 *
 * The service sends the text of a sentence before its audio. A sentence therefore starts where the audio of its
 * generation ended at that moment, and ends where the next one starts. Words are spread over it by their length.
 */

export interface Sentence {
  readonly text: string;
  /** Position in the audio of the generation, in milliseconds. */
  readonly startMs: number;
}

/** How many characters of the sentences were heard after `playedMs` of audio, of which `receivedMs` has arrived. */
export function heardCharacters(sentences: readonly Sentence[], playedMs: number, receivedMs: number): number {
  let heard = 0;
  for (const [index, sentence] of sentences.entries()) {
    const next = sentences[index + 1];
    const endMs = next?.startMs ?? receivedMs;
    if (playedMs >= endMs && endMs > sentence.startMs) {
      heard += sentence.text.length;
      continue;
    }
    if (playedMs <= sentence.startMs) break;
    const share = (playedMs - sentence.startMs) / (endMs - sentence.startMs);
    heard += wordBoundary(sentence.text, share);
    break;
  }
  return heard;
}

/** The end of the last word that begins before `share` of the text. */
function wordBoundary(text: string, share: number): number {
  const at = Math.floor(text.length * share);
  const end = text.slice(at).search(/\s/u);
  return end === -1 ? text.length : at + end;
}
