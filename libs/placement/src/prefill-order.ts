/**
 * In which order a worker computes prompts.
 * | order | first is |
 * |---|---|
 * | fifo | who came first |
 * | srpt | the shortest remaining prefill, with ageing (`prefillUrgency`) |
 */
export const PREFILL_ORDERS = ['fifo', 'srpt'] as const;
export type PrefillOrder = (typeof PREFILL_ORDERS)[number];

/**
 * Prompt tokens that a millisecond of waiting is worth under `srpt`. Chosen: a prompt of 16,000 tokens goes before an endless
 * stream of short ones after 16 s.
 */
const AGEING_TOKENS_PER_MS = 1;

/** How urgent a prompt is under `srpt`; the largest goes first. Every prompt becomes the most urgent in the end. */
export function prefillUrgency(remainingTokens: number, waitedMs: number): number {
  return AGEING_TOKENS_PER_MS * waitedMs - remainingTokens;
}
