import { promptOf } from '../../dist/apps/cli/src/load/prompt-of.js';

let count = 0;

/**
 * The ids of a prompt that no earlier one shares a prefix with.
 * @param {(text: string) => ArrayLike<number> | Promise<ArrayLike<number>>} tokenize
 * @param {number} tokens  how many
 * @returns {Promise<number[]>}
 */
export async function freshPrompt(tokenize, tokens) {
  const ids = Array.from(await tokenize(promptOf(tokens, count++))); // a word is a token at least
  return ids.slice(0, tokens);
}

/** Ids of a prompt that begins as none of another number does. */
export function numberedPrompt(vocabularySize, number, tokens) {
  return Array.from({ length: tokens }, (_, i) => 100 + ((number * 7_919 + i * 31) % (vocabularySize - 200)));
}
