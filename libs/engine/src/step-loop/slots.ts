import type { CachedBlock } from '#lib/kv';
import type { ModelRunner } from '../model-runner.js';
import type { PrefixStore } from '../prefix/prefix-store.js';
import type { WantedBlocks } from '../prefix/stored-block.js';
import { keepableTokens, restorableTokens, usedTokens } from './computed-in-chunks.js';
import type { Sequence } from './generation.js';
import { KvPages } from './kv-pages.js';
import { blockHashesOf, bringEnd, findEnd } from './prompt-recall.js';
import { RestingSlots, usableFor } from './resting-slots.js';

/** A slot whose prefix is being brought. When its sequence leaves, it stays taken until the runner has let go of it. */
interface Opening {
  readonly abort: AbortController;
  /** Memory of the slot when its sequence has left it; 0 before. */
  abandonedTokens: number;
}

export interface OpenedSlot {
  /** Leading tokens that the slot holds. */
  readonly heldTokens: number;
  /** Whether they were looked for. */
  readonly wasAsked: boolean;
}

/**
 * Who has which slot, and how much of the KV memory each slot has: the one place where both change. What no sequence has may
 * be used by slots at rest and by the prefix store, and comes back from them at once, in this order, when a slot grows.
 */
export class Slots {
  readonly pages: KvPages;
  /** Ascending. */
  readonly freeSlots: number[];
  /** KV memory that no sequence has, in tokens. */
  freeKvTokens: number;
  readonly resting = new RestingSlots();
  private readonly openings = new Map<number, Opening>();

  constructor(
    private readonly runner: ModelRunner,
    private readonly prefixes: PrefixStore | undefined,
    private readonly onChange: () => void,
  ) {
    this.pages = new KvPages(runner.limits);
    this.freeKvTokens = this.pages.totalTokens;
    this.freeSlots = Array.from({ length: runner.limits.slots }, (_, slot) => slot);
  }

  /** Memory of what is kept for later requests, in tokens: a part of what is free. */
  get keptKvTokens(): number {
    return this.resting.kvTokens + (this.prefixes?.heldTokens ?? 0);
  }

  /** Slots whose prefix is being brought, or was when their sequence left. */
  get openingCount(): number {
    return this.openings.size;
  }

  /** Gives a slot with memory for `kvTokens` to a sequence and brings its prefix: at once, or `opening` until it is there. */
  open(sequence: Sequence, slot: number, kvTokens: number, onOpened: (opened: OpenedSlot) => void): void {
    this.freeSlots.splice(this.freeSlots.indexOf(slot), 1);
    sequence.slot = slot;
    sequence.phase = 'opening';
    const asked = this.needsPrefix(sequence) ? this.prefixes : undefined;
    const wasAsked = asked !== undefined;
    const end = asked && findEnd(sequence, asked);
    const restorable = wasAsked ? restorableTokens(sequence, this.runner.limits) : 0;
    const mostTokens = end === undefined ? restorable : sequence.knownTokens;
    const restedTokens = this.takeRested(sequence, mostTokens, kvTokens);
    const chain = this.prefixes?.match(this.hashesOf(sequence, mostTokens), sequence.tokenIds) ?? [];
    this.grow(sequence, kvTokens); // what has to go for it is not what was found, as long as there is something else
    const restoredTokens = this.restore(sequence, chain, restedTokens);
    const opened = (foundTokens: number) => {
      const isWhole = asked !== undefined && end !== undefined && bringEnd(sequence, end, foundTokens, asked);
      const { knownTokens } = sequence;
      const heldTokens = usedTokens(sequence, Math.min(foundTokens, knownTokens - 1), this.runner.limits);
      sequence.computedTokens = isWhole ? knownTokens - 1 : heldTokens;
      sequence.phase = 'prefill';
      onOpened({ heldTokens: isWhole ? knownTokens : heldTokens, wasAsked });
    };
    const { generation, index, tokenIds } = sequence;
    const abort = new AbortController();
    const held = this.runner.openSlot?.(
      {
        slot,
        adapterSlot: generation.adapterSlot,
        generationId: generation.id,
        sequenceIndex: index,
        tokenIds,
        promptTokens: generation.promptTokens,
        heldTokens: restoredTokens,
      },
      abort.signal,
    );
    if (held === undefined || typeof held === 'number') {
      opened(held ?? restoredTokens);
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
    held.then(settle, () => settle(restoredTokens)); // what does not come costs time, nothing else: it is computed
  }

  /** Leading tokens of a sequence without a slot that the prefix store has; they do not count as used. */
  findableTokens(sequence: Sequence): number {
    if (this.prefixes === undefined || !this.needsPrefix(sequence)) return 0;
    const hashes = this.hashesOf(sequence, restorableTokens(sequence, this.runner.limits));
    return this.prefixes.heldBlocks(hashes) * this.prefixes.blockTokens;
  }

  /** Blocks of a sequence without a slot that would spare it computing; undefined when they would not, or all are held. */
  wantedBlocks(sequence: Sequence): WantedBlocks | undefined {
    if (this.runner.blocks?.exchange === undefined || this.prefixes === undefined || !this.needsPrefix(sequence))
      return;
    const hashes = this.hashesOf(sequence, restorableTokens(sequence, this.runner.limits));
    const heldBlocks = this.prefixes.heldBlocks(hashes);
    return heldBlocks < hashes.length ? { hashes, heldBlocks } : undefined;
  }

  /** Keeps blocks of a sequence's prompt that were computed elsewhere. @returns leading blocks that are held now */
  give(sequence: Sequence, firstBlock: number, data: readonly Uint8Array[]): number {
    if (this.prefixes === undefined) return 0;
    const { blockTokens, placeTokens } = this.prefixes;
    const hashes = this.hashesOf(sequence, (firstBlock + data.length) * blockTokens);
    this.letRestingGo(data.length * placeTokens);
    const roomTokens = this.freeKvTokens - this.resting.kvTokens;
    return this.prefixes.write({ tokenIds: sequence.tokenIds, hashes, firstBlock, data }, roomTokens);
  }

  /** More memory for a sequence's slot. Never more than is free: the plan has seen to that. */
  grow(sequence: Sequence, kvTokens: number): void {
    this.freeKvTokens -= kvTokens - sequence.kvTokens;
    sequence.kvTokens = kvTokens;
    this.letRestingGo(0);
    this.prefixes?.shrinkTo(this.freeKvTokens);
  }

  /**
   * Keeps further blocks of a sequence for others and for what follows it, as far as tokens have proven them.
   * @returns how many, at most `mostBlocks`
   */
  keepNext(sequence: Sequence, mostBlocks: number): number {
    const blockTokens = this.prefixes?.blockTokens ?? Infinity;
    const blocks = Math.min(
      mostBlocks,
      Math.floor((this.keepableTokens(sequence) - sequence.keptTokens) / blockTokens),
    );
    if (blocks > 0) this.keepUpTo(sequence, sequence.keptTokens + blocks * blockTokens);
    return Math.max(0, blocks);
  }

  /**
   * Keeps the end of a prompt that has just been computed to its last token, which a token could be chosen after.
   * @param logits  of that last token
   */
  keepEnd(sequence: Sequence, logits: Float32Array): void {
    const { slot, tokenIds, knownTokens, generation } = sequence;
    if (this.prefixes === undefined || slot === undefined || knownTokens > generation.promptTokens) return;
    const takenTokens = this.prefixes.endTokens(knownTokens);
    if (takenTokens === 0) return;
    this.letRestingGo(takenTokens);
    const name = blockHashesOf(sequence, this.prefixes).nameOf(tokenIds, knownTokens);
    this.prefixes.keepEnd({ slot, name, tokenIds, logits }, this.freeKvTokens - this.resting.kvTokens);
  }

  /**
   * A sequence ends or is cancelled. All that is proven of it is kept, also what there was no room for earlier, and stays in its
   * slot for whoever goes on from there.
   */
  retire(sequence: Sequence): void {
    const usableTokens = this.keepableTokens(sequence);
    const { slot, tokenIds, kvTokens, generation } = sequence;
    this.keepUpTo(sequence, usableTokens, tokenIds.length - generation.promptTokens);
    const canRest = this.prefixes !== undefined && this.runner.trimSlot !== undefined;
    if (!canRest || slot === undefined || usableTokens === 0 || this.openings.has(slot)) {
      this.leave(sequence);
      return;
    }
    const { adapterVersion } = generation;
    this.resting.add({ slot, adapterVersion, salt: generation.request.cacheSalt, tokenIds, usableTokens, kvTokens });
    sequence.forgetSlot();
    this.freeKvTokens += kvTokens;
    this.putBack(slot);
  }

  /** Takes a sequence to a free slot, with its memory. */
  move(sequence: Sequence, to: number): void {
    const from = sequence.slot!;
    if (this.resting.take(to) !== undefined) this.runner.closeSlot?.(to);
    this.runner.moveSlot?.({ from, to, tokens: sequence.computedTokens });
    this.freeSlots.splice(this.freeSlots.indexOf(to), 1);
    this.putBack(from);
    sequence.slot = to;
  }

  /** The sequence gives back its slot and its memory, if it has one. */
  leave(sequence: Sequence): void {
    const { slot, kvTokens } = sequence;
    if (slot === undefined) return;
    sequence.forgetSlot();
    const opening = this.openings.get(slot);
    if (opening === undefined) {
      this.free(slot, kvTokens);
      return;
    }
    opening.abandonedTokens = kvTokens;
    opening.abort.abort();
  }

  snapshot() {
    const { freeSlots, resting, openings, freeKvTokens, pages, prefixes } = this;
    return {
      free: [...freeSlots],
      opening: [...openings].map(([slot, { abandonedTokens }]) => ({ slot, abandonedTokens })),
      freeKvTokens,
      resting: resting.snapshot(),
      cachedKvTokens: prefixes?.heldTokens ?? 0,
      totalKvTokens: pages.totalTokens,
      pageTokens: pages.pageTokens,
    };
  }

  /** Not where all of the prompt's logits are wanted, and not where a sequence of its generation will give it the prompt. */
  private needsPrefix(sequence: Sequence): boolean {
    const { sequences, lacksPromptLogprobs } = sequence.generation;
    if (lacksPromptLogprobs) return false;
    return this.runner.copySlot === undefined || !sequences.some((one) => one !== sequence && one.slot !== undefined);
  }

  /**
   * What stands in a slot at rest becomes the sequence's that is given it; memory beyond `kvTokens` is given back.
   * @returns how many of its leading tokens stand there
   */
  private takeRested({ slot, generation, tokenIds }: Sequence, mostTokens: number, kvTokens: number): number {
    const rested = this.resting.take(slot!);
    if (rested === undefined) return 0;
    if (rested.kvTokens > kvTokens) this.runner.trimSlot?.(slot!, kvTokens);
    const { adapterVersion } = generation;
    return usableFor(rested, { adapterVersion, salt: generation.request.cacheSalt, tokenIds, mostTokens });
  }

  /** Copies a prefix from the store, if it has more of it than stands in the slot. @returns leading tokens that the slot holds now */
  private restore(sequence: Sequence, chain: readonly CachedBlock[], restedTokens: number): number {
    sequence.keptTokens = chain.length * (this.prefixes?.blockTokens ?? 0);
    if (restedTokens >= sequence.keptTokens) return restedTokens;
    sequence.keptTokens = this.prefixes?.restore(chain, sequence.slot!) ?? 0;
    return sequence.keptTokens;
  }

  /** Slots at rest give back their memory, the oldest first, until the prefix store has room for `moreTokens`. */
  private letRestingGo(moreTokens: number): void {
    for (let slot = this.resting.oldest; slot !== undefined; slot = this.resting.oldest) {
      if (this.keptKvTokens + moreTokens <= this.freeKvTokens) return;
      this.resting.take(slot);
      this.runner.closeSlot?.(slot);
    }
  }

  /** @param answerTokens  when it has ended */
  private keepUpTo(sequence: Sequence, tokens: number, answerTokens?: number): void {
    const { slot, tokenIds, generation } = sequence;
    if (slot === undefined || this.prefixes === undefined) return;
    const { blockTokens, placeTokens } = this.prefixes;
    this.letRestingGo(Math.ceil((tokens - sequence.keptTokens) / blockTokens) * placeTokens);
    sequence.keptTokens = tokens;
    const roomTokens = this.freeKvTokens - this.resting.kvTokens;
    const request = { answerTokens, earlierUses: generation.request.earlierUses };
    this.prefixes.keep({ slot, tokenIds, hashes: this.hashesOf(sequence, tokens), request }, roomTokens);
  }

  private keepableTokens(sequence: Sequence): number {
    return keepableTokens(sequence, this.runner.limits);
  }

  private hashesOf(sequence: Sequence, tokens: number): readonly string[] {
    return this.prefixes === undefined ? [] : blockHashesOf(sequence, this.prefixes).of(sequence.tokenIds, tokens);
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
