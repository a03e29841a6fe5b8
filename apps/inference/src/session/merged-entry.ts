import type { FrameEntry } from '#lib/contracts';

/** Two entries of one sequence, one after the other, as one. */
export function mergedEntry(earlier: FrameEntry, later: FrameEntry): FrameEntry {
  return {
    ...later,
    tokenIds: [...earlier.tokenIds, ...later.tokenIds],
    text: earlier.text + later.text,
    logprobs: [...earlier.logprobs, ...later.logprobs],
    promptLogprobs: [...earlier.promptLogprobs, ...later.promptLogprobs],
  };
}
