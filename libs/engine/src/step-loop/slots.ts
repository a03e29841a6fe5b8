import type { ModelRunner } from '../model-runner.js';
import type { Sequence } from './generation.js';
import { KvPages } from './kv-pages.js';

/** A slot whose prefix is being brought. When its sequence leaves, it stays taken until the runner has let go of it. */
interface Opening {
  readonly abort: AbortController;
  /** Memory of the slot when its sequence has left it; 0 before. */
  abandonedTokens: number;
}

/** Who has which slot, and how much of the KV memory each slot has: the one place where both change. */
export class Slots {
  readonly pages: KvPages;
  /** Ascending. */
  readonly freeSlots: number[];
  /** KV memory that no slot has, in tokens. */
  freeKvTokens: number;
  private readonly openings = new Map<number, Opening>();

  constructor(
    private readonly runner: ModelRunner,
    private readonly onChange: () => void,
  ) {
    this.pages = new KvPages(runner.limits);
    this.freeKvTokens = this.pages.totalTokens;
    this.freeSlots = Array.from({ length: runner.limits.slots }, (_, slot) => slot);
  }

  /** Slots whose prefix is being brought, or was when their sequence left. */
  get openingCount(): number {
    return this.openings.size;
  }

  /** Gives a slot with memory for `kvTokens` to a sequence and brings its prefix: at once, or `opening` until it is there. */
  open(sequence: Sequence, slot: number, kvTokens: number, onOpened: (heldTokens: number) => void): void {
    this.freeSlots.splice(this.freeSlots.indexOf(slot), 1);
    sequence.slot = slot;
    sequence.phase = 'opening';
    this.grow(sequence, kvTokens);
    const opened = (foundTokens: number) => {
      // their logits are wanted: what is held does not have them
      const heldTokens = sequence.generation.lacksPromptLogprobs ? 0 : foundTokens;
      sequence.computedTokens = heldTokens;
      sequence.phase = 'prefill';
      onOpened(heldTokens);
    };
    const { generation, index, tokenIds } = sequence;
    const { promptTokens, request } = generation;
    const abort = new AbortController();
    const held = this.runner.openSlot?.(
      { slot, generationId: generation.id, sequenceIndex: index, tokenIds, promptTokens, cacheSalt: request.cacheSalt },
      abort.signal,
    );
    if (held === undefined || typeof held === 'number') {
      opened(held ?? 0);
      return;
    }

    const opening: Opening = { abort, abandonedTokens: 0 };
    this.openings.set(slot, opening);
    const settle = (heldTokens: number) => {
      this.openings.delete(slot);
      if (abort.signal.aborted) this.free(slot, opening.abandonedTokens);
      else opened(heldTokens);
      this.onChange();
    };
    held.then(settle, () => settle(0)); // a prefix that does not come costs time, nothing else: it is computed
  }

  /** More memory for a sequence's slot. Never more than is free: the plan has seen to that. */
  grow(sequence: Sequence, kvTokens: number): void {
    this.freeKvTokens -= kvTokens - sequence.kvTokens;
    sequence.kvTokens = kvTokens;
  }

  /** Takes a sequence to a free slot, with its memory. */
  move(sequence: Sequence, to: number): void {
    const from = sequence.slot!;
    this.runner.moveSlot?.({ from, to, tokens: sequence.computedTokens });
    this.freeSlots.splice(this.freeSlots.indexOf(to), 1);
    this.putBack(from);
    sequence.slot = to;
  }

  /** The sequence gives back its slot and its memory, if it has one. */
  leave(sequence: Sequence): void {
    const { slot, kvTokens } = sequence;
    if (slot === undefined) return;
    sequence.slot = undefined;
    sequence.kvTokens = 0;
    sequence.computedTokens = 0;
    const opening = this.openings.get(slot);
    if (opening === undefined) {
      this.free(slot, kvTokens);
      return;
    }
    opening.abandonedTokens = kvTokens;
    opening.abort.abort();
  }

  snapshot() {
    const { freeSlots, openings, freeKvTokens, pages } = this;
    return {
      free: [...freeSlots],
      opening: [...openings].map(([slot, { abandonedTokens }]) => ({ slot, abandonedTokens })),
      freeKvTokens,
      totalKvTokens: pages.totalTokens,
      pageTokens: pages.pageTokens,
    };
  }

  private free(slot: number, kvTokens: number): void {
    this.runner.closeSlot?.(slot);
    this.freeKvTokens += kvTokens;
    this.putBack(slot);
  }

  private putBack(slot: number): void {
    const at = this.freeSlots.findIndex((other) => other > slot);
    this.freeSlots.splice(at < 0 ? this.freeSlots.length : at, 0, slot);
  }
}
