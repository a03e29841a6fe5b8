import { type ModelRunnerLimits, rowsOfEachPrompt } from '../model-runner.js';
import { chunkedTokens } from './computed-in-chunks.js';
import type { Sequence } from './generation.js';

/**
 * The first prompts in order that one run computes whole. They have neighbouring slots, and as many rows each as the longest of them, an
 * even number; so none is less than half as long as another, and each has memory for all its rows. The first that does not fit ends it:
 * nobody is overtaken.
 * @param prefilling  in the order in which they get chunks
 * @param mostRows    of all together
 * @returns two at least, in the order of their slots, or none
 */
export function planPromptRun(
  prefilling: readonly Sequence[],
  mostRows: number,
  limits: ModelRunnerLimits,
): readonly Sequence[] {
  const { mostPrompts = 0 } = limits.promptRun ?? {};
  let run: readonly Sequence[] = [];
  for (const sequence of prefilling) {
    const longer = [...run, sequence];
    if (longer.length > mostPrompts || !isWholePrompt(sequence, limits) || !fits(longer, mostRows, limits)) break;
    run = longer;
  }
  return run.length > 1 ? [...run].sort((a, b) => a.slot! - b.slot!) : [];
}

/** Nothing of it is computed, all that is known of it is to be computed in chunks, and it gives a token. Its logits are wanted of the last row only. */
function isWholePrompt(sequence: Sequence, limits: ModelRunnerLimits): boolean {
  const { computedTokens, knownTokens, creditTokens, generation } = sequence;
  if (computedTokens > 0 || creditTokens <= 0 || knownTokens > limits.chunkTokens) return false;
  if (generation.lacksPromptLogprobs || generation.sequences.length > 1) return false; // the prompt of `n` is computed once
  return chunkedTokens(sequence, limits) === knownTokens;
}

function fits(run: readonly Sequence[], mostRows: number, { contextTokens }: ModelRunnerLimits): boolean {
  const tokens = run.map(({ knownTokens }) => knownTokens);
  const rowsEach = rowsOfEachPrompt(tokens);
  const slots = run.map(({ slot }) => slot!);
  return (
    rowsEach * run.length <= mostRows &&
    rowsEach <= Math.min(contextTokens, ...run.map(({ kvTokens }) => kvTokens)) &&
    Math.max(...tokens) <= 2 * Math.min(...tokens) &&
    Math.max(...slots) - Math.min(...slots) === run.length - 1
  );
}
