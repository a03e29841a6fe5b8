import type { Sequence } from './generation.js';
import type { PlanningView } from './planning-view.js';

/** A slot is to have memory for so many tokens in all. */
export interface PlannedGrowth {
  readonly sequence: Sequence;
  readonly kvTokens: number;
}

/** Whose slots grow in this step so that they can decode, and whose memory is taken for that. */
export interface MemoryPlan {
  readonly decoding: readonly Sequence[];
  readonly growths: readonly PlannedGrowth[];
  readonly preempted: readonly Sequence[];
}

/**
 * Memory for the next token of each sequence that may decode, in order of admission. When there is none left, others are
 * preempted: first those that wait for their reader, then those admitted after it, the latest first; and itself when
 * there are none. So the first in order always goes on, and no sequence starves.
 */
export function planMemory(view: PlanningView): MemoryPlan {
  const { live, pages } = view;
  const decoding: Sequence[] = [];
  const growths: PlannedGrowth[] = [];
  const preempted = new Set<Sequence>();
  let freeTokens = view.freeKvTokens;
  for (const [order, sequence] of live.entries()) {
    if (sequence.phase !== 'decode' || sequence.creditTokens <= 0 || preempted.has(sequence)) continue;
    const kvTokens = Math.max(sequence.kvTokens, pages.holding(sequence.computedTokens + 1));
    const lackingTokens = kvTokens - sequence.kvTokens;
    while (lackingTokens > freeTokens) {
      const victim = victimFor(order, live, preempted);
      if (victim === undefined) break;
      preempted.add(victim);
      freeTokens += victim.kvTokens;
    }
    if (lackingTokens <= freeTokens) {
      freeTokens -= lackingTokens;
      decoding.push(sequence);
      if (lackingTokens > 0) growths.push({ sequence, kvTokens });
    } else if (view.openingCount === 0) {
      preempted.add(sequence);
      freeTokens += sequence.kvTokens;
    } // else what is being opened holds memory that cannot be taken yet: it waits a step
  }
  return { decoding, growths, preempted: [...preempted] };
}

/** Whose memory a sequence may take. A slot that is being opened cannot be taken at once. */
function victimFor(order: number, live: readonly Sequence[], preempted: ReadonlySet<Sequence>): Sequence | undefined {
  const isVictim = (sequence: Sequence, at: number) =>
    at !== order && sequence.phase !== 'opening' && !preempted.has(sequence);
  return (
    live.findLast((sequence, at) => isVictim(sequence, at) && sequence.creditTokens <= 0) ??
    live.findLast((sequence, at) => isVictim(sequence, at) && at > order)
  );
}
