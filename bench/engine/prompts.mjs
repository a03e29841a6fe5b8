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
