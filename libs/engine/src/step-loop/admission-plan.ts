import type { Sequence } from './generation.js';
import type { PlanningView } from './step-plan.js';

/**
 * Tokens that each running sequence should still be able to generate when another one is admitted. Chosen: with fewer,
 * admitted sequences are soon preempted again; with more, memory waits for tokens that may never come.
 */
const HEADROOM_TOKENS = 64;

export interface Admission {
  readonly sequence: Sequence;
  readonly slot: number;
  /** Memory of its slot at first: for what is known of it, and one token. */
  readonly kvTokens: number;
}

export interface AdmissionPlan {
  readonly admitted: readonly Admission[];
  /** Why the next in order has to wait. A large one is not overtaken, so it never starves. */
  readonly deferred?: 'no-slot' | 'no-memory';
  /** They would not fit into all the memory there is. */
  readonly unserviceable: readonly Sequence[];
}

/**
 * The waiting sequences that fit, in order. They fit when there is memory for what is known of them and, unless they are
 * alone, for a while of what they and the running ones may still generate. A sequence that waits for its reader is not
 * admitted: it would hold memory for nothing.
 */
export function planAdmissions(view: PlanningView): AdmissionPlan {
  const { pages, live } = view;
  const admitted: Admission[] = [];
  const unserviceable: Sequence[] = [];
  const slots = slotsInOrder(view);
  let freeTokens = view.freeKvTokens - live.reduce((sum, sequence) => sum + headroom(sequence, sequence.kvTokens), 0);
  for (const sequence of view.waiting) {
    if (sequence.creditTokens <= 0) continue;
    const kvTokens = pages.holding(sequence.knownTokens + 1);
    if (kvTokens > pages.totalTokens) {
      unserviceable.push(sequence);
      continue;
    }
    const slot = slots[admitted.length];
    if (slot === undefined) return { admitted, unserviceable, deferred: 'no-slot' };
    freeTokens -= kvTokens + headroom(sequence, kvTokens);
    const isAlone = live.length === 0 && admitted.length === 0;
    if (freeTokens < 0 && !(isAlone && kvTokens <= view.freeKvTokens)) {
      return { admitted, unserviceable, deferred: 'no-memory' };
    }
    admitted.push({ sequence, slot, kvTokens });
  }
  return { admitted, unserviceable };

  function headroom({ knownTokens, generation }: Sequence, kvTokens: number): number {
    const wanted = Math.min(knownTokens + HEADROOM_TOKENS, generation.mostTokens);
    return Math.max(0, pages.holding(wanted) - kvTokens);
  }
}

/** Where sequences can be moved, new ones come behind the others: a prompt in between would split the rows of a decode. */
function slotsInOrder({ freeSlots, live, canMoveSlots }: PlanningView): readonly number[] {
  if (!canMoveSlots) return freeSlots;
  const last = Math.max(-1, ...live.map(({ slot }) => slot!));
  return [...freeSlots.filter((slot) => slot > last), ...freeSlots.filter((slot) => slot < last)];
}
