/** PURE. Which words of a picture the learner has said. */

/** A word counts in its inflected forms: "stalls" for "stall", "bargained" for "to bargain". */
export function saidWords(vocabulary: readonly string[], turns: readonly string[]): Set<string> {
  const said = new Set(turns.flatMap(words).map(stem));
  return new Set(vocabulary.filter((entry) => words(entry).every((word) => word === "to" || said.has(stem(word)))));
}

function words(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{M}'’]+/gu) ?? [];
}

function stem(word: string): string {
  const plain = word.replaceAll("’", "'").replace(/'s$/u, "");
  if (plain.length <= 3) return plain;
  return plain
    .replace(/(?<=[^aeiou])ies$/u, "y")
    .replace(/(ing|ed|es|s)$/u, "")
    .replace(/([^aeiouls])\1$/u, "$1")
    .replace(/e$/u, "");
}
