import { hashWord, type PrefixHashes } from '#lib/kv';
import { PrefixDepths } from './prefix-depths.js';

/** A worker that is asked about. */
export interface Holder {
  readonly workerId: string;
}

/** Which workers hold which prefix blocks. */
export abstract class PrefixLookup {
  /**
   * How long a prefix each worker holds.
   * @param holders  a list that does not change: who asks about the same one again spares its workers' being looked up
   * @returns leading blocks held, in their order; 0 for a worker that is not known
   */
  abstract leadingBlocks(hashes: PrefixHashes, holders: readonly Holder[]): readonly number[];
}

export interface KvIndexOptions {
  /** Distinct blocks that are remembered; of more, nothing is known. */
  readonly capacityBlocks: number;
  /** Workers that are remembered, at most 256. */
  readonly capacityWorkers: number;
}

/** Share of the slots that may be taken: beyond it, runs of taken slots grow long. */
const MOST_OCCUPIED = 0.6;
const WORD_BITS = 32;
/** Words of a hash that are kept, the first ones of a slot. */
const KEY_WORDS = 2;
/** Where they are in a hash. */
const HIGH_AT = 0;
const LOW_AT = 4;
/** Instead of 0: a hash of zeros would look like a free slot. */
const NO_HIGH = 1;

/**
 * Block hash → set of workers, in one typed array of a fixed size: each slot has 8 bytes of the hash and one bit per worker; open
 * addressing with linear probing, deletion by moving back what follows. Hashes are cut to 64 bits here: a collision costs time,
 * never correctness. Memory: (8 + 4 · ceil(workers / 32)) / 0.6 bytes per block, rounded up to a power of two of slots.
 *
 * Of a prompt few blocks are looked at. Prefix stores drop blocks from the ends of chains, so who holds a block holds those before
 * it, and how much a set of workers holds is found by halving (`PrefixDepths`). Of a worker that has lost a block in the middle,
 * for as long as an event is missing, more may be told than there is: as far as some block that it holds.
 */
export class KvIndex extends PrefixLookup {
  /** Shape [slots, slotWords]: a slot's hash, both words 0 in a free slot, and a bit for each worker, never all 0 in a taken one. */
  private readonly table: Uint32Array;
  private readonly slotWords: number;
  private readonly slotMask: number;
  private readonly mostBlocks: number;
  private readonly numbers = new Map<string, number>();
  /** Who was asked about last, and their numbers, as long as nobody joins or leaves. */
  private askedAbout: readonly Holder[] | undefined;
  private askedNumbers: readonly (number | undefined)[] = [];
  private readonly freeNumbers: number[];
  /** Numbers of workers that left: those whose bits are being swept, and those that wait for the next sweep. */
  private readonly leaving: number[] = [];
  private readonly left: number[] = [];
  private readonly leavingBits: Uint32Array;
  /** Words of a slot's bits that have some of them. */
  private leavingWords: readonly number[] = [];
  /** All of them while nothing is being swept. */
  private sweptSlots: number;
  private readonly depths: PrefixDepths;
  private blockCount = 0;
  /** Words of the hashes that are looked at together: no more than workers. */
  private readonly highs: Uint32Array;
  private readonly lows: Uint32Array;
  /** Says nothing, but what goes into it has to be loaded. */
  protected touched = 0;
  private refusedCount = 0;

  constructor({ capacityBlocks, capacityWorkers }: KvIndexOptions) {
    super();
    const slots = 2 ** Math.ceil(Math.log2(Math.max(8, capacityBlocks / MOST_OCCUPIED)));
    this.slotMask = slots - 1;
    this.sweptSlots = slots;
    this.mostBlocks = capacityBlocks;
    const holderWords = Math.ceil(capacityWorkers / WORD_BITS);
    this.slotWords = KEY_WORDS + holderWords;
    this.table = new Uint32Array(slots * this.slotWords);
    this.leavingBits = new Uint32Array(holderWords);
    this.depths = new PrefixDepths(holderWords * WORD_BITS);
    this.highs = new Uint32Array(holderWords * WORD_BITS);
    this.lows = new Uint32Array(holderWords * WORD_BITS);
    this.freeNumbers = Array.from({ length: capacityWorkers }, (_, index) => capacityWorkers - 1 - index);
  }

  /** Distinct blocks known; with those of workers that left, until they are swept. */
  get size(): number {
    return this.blockCount;
  }

  /** Blocks that were not taken in because the index, or its list of workers, was full. */
  get refused(): number {
    return this.refusedCount;
  }

  /** Bytes of its table. */
  get memoryBytes(): number {
    return this.table.byteLength;
  }

  stored(workerId: string, hash: Uint8Array): void {
    const number = this.numbers.get(workerId) ?? this.join(workerId);
    const high = highOf(hash);
    const low = lowOf(hash);
    let slot = this.slotOf(high, low);
    const isNew = !this.isTaken(slot);
    if (isNew && this.blockCount >= this.mostBlocks && this.needsSweep) {
      this.sweepAll(); // nothing is refused for the sake of those that left
      slot = this.slotOf(high, low);
    }
    if (number === undefined || (isNew && this.blockCount >= this.mostBlocks)) {
      this.refusedCount++;
      return;
    }
    const { table } = this;
    const at = slot * this.slotWords;
    if (isNew) {
      table[at] = high;
      table[at + 1] = low;
      this.blockCount++;
    }
    const word = at + KEY_WORDS + (number >>> 5);
    table[word] = table[word]! | (1 << (number & 31));
  }

  removed(workerId: string, hash: Uint8Array): void {
    const number = this.numbers.get(workerId);
    const slot = this.slotOf(highOf(hash), lowOf(hash));
    if (number !== undefined && this.isTaken(slot)) this.drop(slot, number);
  }

  /** The worker holds nothing any more. What it held is cleared by `sweep`; its bits mean nobody until then. */
  removeWorker(workerId: string): void {
    const number = this.numbers.get(workerId);
    if (number === undefined) return;
    this.numbers.delete(workerId);
    this.askedAbout = undefined;
    this.left.push(number);
  }

  /** Whether something of workers that left is to be cleared. */
  get needsSweep(): boolean {
    return this.left.length > 0 || this.isSweeping;
  }

  /**
   * Clears what is left of workers that left, in a part of the table: all of a large one takes a tenth of a second. When their bits or blocks
   * are needed before, the rest is cleared at once.
   * @returns whether there is more to clear
   */
  sweep(slots: number): boolean {
    if (!this.isSweeping) this.beginSweep();
    const end = Math.min(this.sweptSlots + slots, this.slotMask + 1);
    // A slot that becomes free is filled with a later one: it is looked at until what is in it stays.
    while (this.sweptSlots < end) if (!this.clear(this.sweptSlots)) this.sweptSlots++;
    if (!this.isSweeping) this.freeNumbers.push(...this.leaving.splice(0));
    return this.needsSweep;
  }

  leadingBlocks(hashes: PrefixHashes, holders: readonly Holder[]): readonly number[] {
    if (this.askedAbout !== holders) {
      this.askedAbout = holders;
      this.askedNumbers = holders.map(({ workerId }) => this.numbers.get(workerId));
    }
    const { table, slotWords } = this;
    let bits = 0;
    return this.depths.find(this.askedNumbers, hashes.length, {
      locate: (blocks, count) => this.locate(hashes, blocks, count),
      look: (index) => {
        bits = this.slotOf(this.highs[index]!, this.lows[index]!) * slotWords + KEY_WORDS; // those of a free slot are 0
      },
      isHeldBy: (number) => (table[bits + (number >>> 5)]! & (1 << (number & 31))) !== 0,
    });
  }

  private locate(hashes: PrefixHashes, blocks: Uint32Array, count: number): void {
    const { table, slotWords, slotMask, highs, lows } = this;
    for (let index = 0; index < count; index++) {
      const block = blocks[index]!;
      highs[index] = hashes.word(block, HIGH_AT) || NO_HIGH;
      lows[index] = hashes.word(block, LOW_AT);
    }
    // A loop this short has the processor wait for all of them at once (`PrefixUses.locate`).
    let touched = 0;
    for (let index = 0; index < count; index++) {
      const home = (lows[index]! & slotMask) * slotWords;
      touched ^= table[home]! ^ table[home + slotWords - 1]!; // a slot may lie in two lines
    }
    this.touched = touched;
  }

  private join(workerId: string): number | undefined {
    if (this.freeNumbers.length === 0) this.sweepAll();
    const number = this.freeNumbers.pop();
    if (number === undefined) return undefined;
    this.numbers.set(workerId, number);
    this.askedAbout = undefined;
    return number;
  }

  private get isSweeping(): boolean {
    return this.sweptSlots <= this.slotMask;
  }

  private beginSweep(): void {
    if (this.left.length === 0) return;
    this.leaving.push(...this.left.splice(0));
    this.leavingBits.fill(0);
    for (const number of this.leaving) {
      this.leavingBits[number >>> 5] = this.leavingBits[number >>> 5]! | (1 << (number & 31));
    }
    this.leavingWords = [...this.leavingBits.keys()].filter((word) => this.leavingBits[word] !== 0);
    this.sweptSlots = 0;
  }

  private sweepAll(): void {
    while (this.needsSweep) this.sweep(this.slotMask + 1);
  }

  /** Takes those that leave out of a slot. @returns whether it had no other holder and was given up */
  private clear(slot: number): boolean {
    const { table, leavingBits, leavingWords } = this;
    const at = slot * this.slotWords + KEY_WORDS;
    let cleared = 0;
    for (let index = 0; index < leavingWords.length; index++) {
      const word = leavingWords[index]!;
      const gone = table[at + word]! & leavingBits[word]!;
      if (gone === 0) continue;
      cleared |= gone;
      table[at + word] = table[at + word]! & ~gone;
    }
    return cleared !== 0 && this.giveUp(slot);
  }

  /** The slot that has the hash, or the free one where it would go. */
  private slotOf(high: number, low: number): number {
    const { table, slotMask, slotWords } = this;
    let slot = low & slotMask;
    for (;;) {
      const keyHigh = table[slot * slotWords]!;
      const keyLow = table[slot * slotWords + 1]!;
      if ((keyHigh === high && keyLow === low) || (keyHigh === 0 && keyLow === 0)) return slot;
      slot = (slot + 1) & slotMask;
    }
  }

  private isTaken(slot: number): boolean {
    const at = slot * this.slotWords;
    return this.table[at] !== 0 || this.table[at + 1] !== 0;
  }

  private isHeld(slot: number): boolean {
    const { table, slotWords } = this;
    const end = (slot + 1) * slotWords;
    for (let word = slot * slotWords + KEY_WORDS; word < end; word++) if (table[word] !== 0) return true;
    return false;
  }

  private drop(slot: number, number: number): void {
    const { table } = this;
    const word = slot * this.slotWords + KEY_WORDS + (number >>> 5);
    const before = table[word]!;
    table[word] = before & ~(1 << (number & 31));
    if (table[word] !== before) this.giveUp(slot);
  }

  /** @returns false when somebody holds the block */
  private giveUp(slot: number): boolean {
    if (this.isHeld(slot)) return false;
    this.blockCount--;
    this.closeGap(slot);
    return true;
  }

  /** Moves back the blocks after a freed slot that would not be found any more. */
  private closeGap(freed: number): void {
    const { table, slotWords, slotMask } = this;
    let gap = freed;
    for (let slot = (gap + 1) & slotMask; this.isTaken(slot); slot = (slot + 1) & slotMask) {
      const home = table[slot * slotWords + 1]! & slotMask;
      if (((slot - home) & slotMask) < ((slot - gap) & slotMask)) continue;
      if (gap < this.sweptSlots && slot >= this.sweptSlots) this.sweptSlots = gap; // what comes there was not swept
      table.copyWithin(gap * slotWords, slot * slotWords, (slot + 1) * slotWords);
      gap = slot;
    }
    table.fill(0, gap * slotWords, (gap + 1) * slotWords);
  }
}

const highOf = (hash: Uint8Array) => hashWord(hash, HIGH_AT) || NO_HIGH;
const lowOf = (hash: Uint8Array) => hashWord(hash, LOW_AT);
