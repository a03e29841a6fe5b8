import type { ServedModel } from '#lib/contracts';

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

/**
 * Prompts in the order in which a worker computes them: what simulated and real workers do, and what forecasts reckon with.
 * @param prompts  as they came; equally urgent ones stay so
 */
export function inPrefillOrder<Prompt>(
  order: PrefillOrder,
  prompts: readonly Prompt[],
  urgencyOf: (prompt: Prompt) => number,
): readonly Prompt[] {
  switch (order) {
    case 'fifo':
      return prompts;
    case 'srpt': {
      const urgency = new Map(prompts.map((prompt) => [prompt, urgencyOf(prompt)]));
      return [...prompts].sort((a, b) => urgency.get(b)! - urgency.get(a)!); // it has all of them
    }
    default:
      return order satisfies never;
  }
}

/** The order of a worker that says which one it keeps to; most say nothing and compute prompts as they come. */
export function prefillOrderOf({ prefillOrder }: Pick<ServedModel, 'prefillOrder'>): PrefillOrder {
  return prefillOrder === 'srpt' ? 'srpt' : 'fifo';
}
