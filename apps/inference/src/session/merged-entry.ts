import type { FrameEntry } from '#lib/contracts';

/** Two entries of one sequence, one after the other, as one that can be told apart again after each token. */
export function mergedEntry(earlier: FrameEntry, later: FrameEntry): FrameEntry {
  const textEnds = endsOf(earlier);
  for (const end of endsOf(later)) textEnds.push(earlier.text.length + end);
  return {
    ...later,
    tokenIds: [...earlier.tokenIds, ...later.tokenIds],
    text: earlier.text + later.text,
    logprobs: [...earlier.logprobs, ...later.logprobs],
    promptLogprobs: [...earlier.promptLogprobs, ...later.promptLogprobs],
    textEnds,
  };
}

/** The tokens of one step brought their text together: with the last of them. */
function endsOf({ tokenIds, text, textEnds }: FrameEntry): number[] {
  if (textEnds.length > 0) return [...textEnds];
  return tokenIds.map((_, index) => (index === tokenIds.length - 1 ? text.length : 0));
}
