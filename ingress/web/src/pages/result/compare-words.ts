/** PURE. Which words of a phrase an attempt has, in their order. Case and punctuation do not matter. */

export interface Word {
  readonly text: string;
  readonly said: boolean;
}

export interface Comparison {
  /** The words of the phrase. */
  readonly words: readonly Word[];
  /** Whether the attempt is the phrase, without a missing or an additional word. */
  readonly same: boolean;
}

export function compareWords(phrase: string, attempt: string): Comparison {
  const wanted = phrase.split(/\s+/u).filter((word) => plain(word) !== "");
  const said = attempt
    .split(/\s+/u)
    .map(plain)
    .filter((word) => word !== "");
  const kept = longestCommon(wanted.map(plain), said);
  return {
    words: wanted.map((text, index) => ({ text, said: kept.has(index) })),
    same: kept.size === wanted.length && said.length === wanted.length,
  };
}

function plain(word: string): string {
  return word
    .toLowerCase()
    .replaceAll("’", "'")
    .replaceAll(/[^\p{L}\p{M}\p{N}']/gu, "");
}

/** The positions in `a` of a longest common subsequence. */
function longestCommon(a: readonly string[], b: readonly string[]): Set<number> {
  const lengths = Array.from({ length: a.length + 1 }, () => Array.from({ length: b.length + 1 }, () => 0));
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      (lengths[i] ?? [])[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const kept = new Set<number>();
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) {
      kept.add(i);
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return kept;
}
