import { inPrefillOrder, type PrefillOrder, prefillUrgency } from '#lib/placement';
import type { Sequence } from './generation.js';

/**
 * Who gets a slot next, and whose prompt is computed next: as they came, or the shortest remaining prompt first, each the more urgent
 * the longer it waits. Of those without a slot higher priority goes first in any case.
 */
export class PromptOrder {
  /** @param findableTokens  leading tokens of a sequence without a slot that need not be computed */
  constructor(
    private readonly order: PrefillOrder,
    private readonly findableTokens: (sequence: Sequence) => number,
  ) {}

  /** @param sequences  without a slot, by priority, then as they came */
  ofWaiting(sequences: Iterable<Sequence>, nowUs: number): Iterable<Sequence> {
    if (this.order === 'fifo') return sequences;
    const inOrder = inPrefillOrder(this.order, [...sequences], (sequence) => {
      // Looked up once: what others compute meanwhile would be worth little more than the look.
      sequence.findableTokens ??= this.findableTokens(sequence);
      return urgencyOf(sequence, sequence.findableTokens, nowUs);
    });
    return [...inOrder].sort((a, b) => b.generation.request.priority - a.generation.request.priority);
  }

  /** @param live  in order of admission */
  ofPrefilling(live: readonly Sequence[], nowUs: number): readonly Sequence[] {
    const prefilling = live.filter(({ phase }) => phase === 'prefill');
    return inPrefillOrder(this.order, prefilling, (sequence) => urgencyOf(sequence, sequence.computedTokens, nowUs));
  }
}

function urgencyOf({ knownTokens, generation }: Sequence, doneTokens: number, nowUs: number): number {
  return prefillUrgency(knownTokens - doneTokens, (nowUs - generation.arrivedUs) / 1_000);
}
