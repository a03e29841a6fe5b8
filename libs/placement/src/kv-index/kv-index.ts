import { hashWord } from '../short-hash.js';
import { PrefixDepths } from './prefix-depths.js';

/** Which workers hold which prefix blocks. */
export abstract class PrefixLookup {
  /**
   * How long a prefix each worker holds.
   * @param hashes  of the prompt's blocks, first block first, 16 bytes each
   * @returns leading blocks held, in the order of `workerIds`; 0 for a worker that is not known
   */
  abstract leadingBlocks(hashes: readonly Uint8Array[], workerIds: readonly string[]): Uint32Array;
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
  private readonly freeNumbers: number[];
  private readonly depths: PrefixDepths;
  private blockCount = 0;
  private refusedCount = 0;

  constructor({ capacityBlocks, capacityWorkers }: KvIndexOptions) {
    super();
    const slots = 2 ** Math.ceil(Math.log2(Math.max(8, capacityBlocks / MOST_OCCUPIED)));
    this.slotMask = slots - 1;
    this.mostBlocks = capacityBlocks;
    const holderWords = Math.ceil(capacityWorkers / WORD_BITS);
    this.slotWords = KEY_WORDS + holderWords;
    this.table = new Uint32Array(slots * this.slotWords);
    this.depths = new PrefixDepths(holderWords);
    this.freeNumbers = Array.from({ length: capacityWorkers }, (_, index) => capacityWorkers - 1 - index);
  }

  /** Distinct blocks known. */
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
    const slot = this.slotOf(high, low);
    const isNew = !this.isTaken(slot);
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

  /** The worker holds nothing any more. */
  removeWorker(workerId: string): void {
    const number = this.numbers.get(workerId);
    if (number === undefined) return;
    const { table, slotWords } = this;
    const bit = 1 << (number & 31);
    // Deleting moves later slots back: a slot is looked at until what is in it stays.
    for (let slot = 0, word = KEY_WORDS + (number >>> 5); slot <= this.slotMask; ) {
      const holds = (table[word]! & bit) !== 0;
      if (holds && this.drop(slot, number)) continue;
      slot++;
      word += slotWords;
    }
    this.numbers.delete(workerId);
    this.freeNumbers.push(number);
  }

  leadingBlocks(hashes: readonly Uint8Array[], workerIds: readonly string[]): Uint32Array {
    const numbers = workerIds.map((workerId) => this.numbers.get(workerId));
    const { table, slotWords } = this;
    return this.depths.find(numbers, hashes.length, (block, into) => {
      const hash = hashes[block]!;
      const holders = this.slotOf(highOf(hash), lowOf(hash)) * slotWords + KEY_WORDS; // those of a free slot are 0
      for (let word = 0; word < into.length; word++) into[word] = table[holders + word]!;
    });
  }

  private join(workerId: string): number | undefined {
    const number = this.freeNumbers.pop();
    if (number !== undefined) this.numbers.set(workerId, number);
    return number;
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

  /** @returns whether the block had no other holder and the slot was given up */
  private drop(slot: number, number: number): boolean {
    const { table } = this;
    const word = slot * this.slotWords + KEY_WORDS + (number >>> 5);
    const before = table[word]!;
    table[word] = before & ~(1 << (number & 31));
    if (table[word] === before || this.isHeld(slot)) return false;
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
      table.copyWithin(gap * slotWords, slot * slotWords, (slot + 1) * slotWords);
      gap = slot;
    }
    table.fill(0, gap * slotWords, (gap + 1) * slotWords);
  }
}

/** Never 0: a hash of zeros would look like a free slot. */
const highOf = (hash: Uint8Array) => hashWord(hash, 0) || 1;
const lowOf = (hash: Uint8Array) => hashWord(hash, 4);
