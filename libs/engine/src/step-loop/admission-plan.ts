import { restorableTokens } from './computed-in-chunks.js';
import type { Sequence } from './generation.js';
import type { PlanningView } from './planning-view.js';

/**
 * Steps that a sequence may wait for its reader before it gives way to others. Chosen: a reader that is about as fast as
 * the engine pauses for a step or two, and computing its prompt again costs as much as many steps.
 */
const PATIENCE_STEPS = 16;

export interface Admission {
  readonly sequence: Sequence;
  readonly slot: number;
  /** Memory of its slot at first: for what is known of it, and one token. */
  readonly kvTokens: number;
}

export interface AdmissionPlan {
  /** They have waited for their readers for long, and lose their slots to those admitted. */
  readonly preempted: readonly Sequence[];
  readonly admitted: readonly Admission[];
  /** Why the next in order has to wait. A large one is not overtaken, so it never starves. */
  readonly deferred?: 'no-slot' | 'no-memory';
  /** They would not fit into all the memory there is. */
  readonly unserviceable: readonly Sequence[];
}

/**
 * The waiting sequences that fit, in order. They fit when there is memory for what is known of them and, unless they are
 * alone, for a while of what they and the running ones may still generate. A sequence that waits for its reader is not
 * admitted: it would hold memory for nothing. One whose blocks are on their way lets others go first.
 */
export function planAdmissions(view: PlanningView): AdmissionPlan {
  const { pages, live } = view;
  const admitted: Admission[] = [];
  const unserviceable: Sequence[] = [];
  const idle = idleSequences(live);
  let preemptedCount = 0;
  let freeSlots = slotsInOrder(view);
  let freeTokens = view.freeKvTokens - live.reduce((sum, sequence) => sum + headroomTokens(sequence, view), 0);
  const plan = (deferred?: AdmissionPlan['deferred']) => {
    return { preempted: idle.slice(0, preemptedCount), admitted, unserviceable, deferred };
  };
  for (const sequence of view.waiting) {
    if (sequence.creditTokens <= 0 || sequence.generation.awaitsBlocks) continue;
    const kvTokens = pages.holding(sequence.knownTokens + 1);
    if (kvTokens > pages.totalTokens) {
      unserviceable.push(sequence);
      continue;
    }
    const headroom = headroomTokens(sequence, view, kvTokens);
    for (let taken = preemptedCount; ; taken++) {
      const victims = idle.slice(preemptedCount, taken);
      const slots = [...freeSlots, ...victims.map(({ slot }) => slot!)];
      const tokens = victims.reduce((sum, one) => sum + one.kvTokens + headroomTokens(one, view), freeTokens);
      const isAlone = live.length === taken && admitted.length === 0;
      const isEnough = tokens >= kvTokens + (isAlone ? 0 : headroom);
      if (slots.length > 0 && isEnough) {
        const slot = chosenSlot(sequence, slots, isAlone, view);
        admitted.push({ sequence, slot, kvTokens });
        freeSlots = slots.filter((other) => other !== slot);
        freeTokens = tokens - kvTokens - headroom;
        preemptedCount = taken;
        break;
      }
      if (taken === idle.length) return plan(slots.length === 0 ? 'no-slot' : 'no-memory');
    }
  }
  return plan();
}

/** Where a sequence goes on from what stands there; else the first in order, or, when no rows have to be side by side, whichever is missed least. */
function chosenSlot(sequence: Sequence, slots: readonly number[], isAlone: boolean, view: PlanningView): number {
  const { generation, tokenIds } = sequence;
  const query = {
    adapterVersion: generation.adapterVersion,
    salt: generation.request.cacheSalt,
    tokenIds,
    mostTokens: restorableTokens(sequence, view.limits),
  };
  const useful = view.resting.usefulFor(query, slots);
  return useful ?? (isAlone ? view.resting.leastMissed(slots) : undefined) ?? slots[0]!;
}

/** What a sequence should find free for its next tokens, beyond what its slot has. */
function headroomTokens(
  { knownTokens, generation, kvTokens: ownTokens }: Sequence,
  { pages, headroomTokens: tokens }: PlanningView,
  kvTokens = ownTokens,
): number {
  const wanted = Math.min(knownTokens + tokens, generation.mostTokens);
  return Math.max(0, pages.holding(wanted) - kvTokens);
}

/** Those that others need not wait for, in the order in which they give way; all paused ones when nothing runs. */
function idleSequences(live: readonly Sequence[]): Sequence[] {
  const paused = live.filter(({ creditTokens, phase }) => creditTokens <= 0 && phase !== 'opening').reverse();
  return paused.length === live.length ? paused : paused.filter(({ idleSteps }) => idleSteps >= PATIENCE_STEPS);
}

/** Where sequences can be moved, new ones come behind the others: a prompt in between would split the rows of a decode. */
function slotsInOrder({ freeSlots, live, canMoveSlots }: PlanningView): readonly number[] {
  if (!canMoveSlots) return freeSlots;
  const last = Math.max(-1, ...live.map(({ slot }) => slot!));
  return [...freeSlots.filter((slot) => slot > last), ...freeSlots.filter((slot) => slot < last)];
}
