import type { ModelRunner } from '../model-runner.js';
import type { Sequence } from './generation.js';

/**
 * Who has which slot, and how many tokens of KV are promised to whom. A slot whose prefix is being brought when its
 * sequence leaves stays taken until the runner has let go of it.
 */
export class Slots {
  /** Most tokens of one sequence: the context, or all there is of KV. */
  readonly contextTokens: number;
  /** Ascending, so that decode rows stay close together. */
  readonly freeSlots: number[];
  private readonly kvTokens: number;
  private reservedTokens = 0;
  private readonly openings = new Map<number, AbortController>();

  constructor(
    private readonly runner: ModelRunner,
    private readonly onChange: () => void,
  ) {
    const { slots, contextTokens, kvTotalBytes, kvBytesPerToken } = runner.limits;
    this.kvTokens = kvBytesPerToken > 0 ? Math.floor(kvTotalBytes / kvBytesPerToken) : Infinity;
    this.contextTokens = Math.min(contextTokens, this.kvTokens);
    this.freeSlots = Array.from({ length: slots }, (_, slot) => slot);
  }

  get freeKvTokens(): number {
    return this.kvTokens - this.reservedTokens;
  }

  /** Gives a slot to a sequence and brings its prefix: at once, or `opening` until it is there. */
  open(sequence: Sequence, slot: number, onOpened: (heldTokens: number) => void): void {
    this.freeSlots.splice(this.freeSlots.indexOf(slot), 1);
    this.reservedTokens += sequence.generation.reservedTokens;
    sequence.slot = slot;
    sequence.phase = 'opening';
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

    this.openings.set(slot, abort);
    const settle = (heldTokens: number) => {
      this.openings.delete(slot);
      if (sequence.phase === 'opening') opened(heldTokens);
      else this.free(slot);
      this.onChange();
    };
    held.then(settle, () => settle(0)); // a prefix that does not come costs time, nothing else: it is computed
  }

  leave(sequence: Sequence): void {
    const { slot } = sequence;
    if (slot === undefined) return;
    sequence.slot = undefined;
    this.reservedTokens -= sequence.generation.reservedTokens;
    const opening = this.openings.get(slot);
    if (opening === undefined) this.free(slot);
    else opening.abort();
  }

  snapshot(): { free: number[]; opening: number[]; reservedTokens: number; kvTokens: number } {
    const { freeSlots, openings, reservedTokens, kvTokens } = this;
    return { free: [...freeSlots], opening: [...openings.keys()], reservedTokens, kvTokens };
  }

  private free(slot: number): void {
    this.runner.closeSlot?.(slot);
    const at = this.freeSlots.findIndex((other) => other > slot);
    this.freeSlots.splice(at < 0 ? this.freeSlots.length : at, 0, slot);
  }
}
