/** Which workers hold which prefix blocks. */
export abstract class PrefixLookup {
  /**
   * How long a prefix each worker holds.
   * @param hashes  of the prompt's blocks, first block first, 16 bytes each
   * @returns leading blocks held by a worker; 0 for one that is not known
   */
  abstract leadingBlocks(hashes: readonly Uint8Array[]): (workerId: string) => number;
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

/**
 * Block hash → set of workers, in typed arrays of a fixed size: 8 bytes of the hash and one bit per worker in each slot, open
 * addressing with linear probing, deletion by moving back what follows. Hashes are cut to 64 bits here: a collision costs time,
 * never correctness. Memory: (8 + 4 · ceil(workers / 32)) / 0.6 bytes per block, rounded up to a power of two of slots.
 */
export class KvIndex extends PrefixLookup {
  private readonly high: Uint32Array;
  private readonly low: Uint32Array;
  private readonly holders: Uint32Array;
  private readonly wordsPerSlot: number;
  private readonly slotMask: number;
  private readonly mostBlocks: number;
  private readonly numbers = new Map<string, number>();
  private readonly freeNumbers: number[];
  private blockCount = 0;
  private refusedCount = 0;

  constructor({ capacityBlocks, capacityWorkers }: KvIndexOptions) {
    super();
    const slots = 2 ** Math.ceil(Math.log2(Math.max(8, capacityBlocks / MOST_OCCUPIED)));
    this.slotMask = slots - 1;
    this.mostBlocks = capacityBlocks;
    this.wordsPerSlot = Math.ceil(capacityWorkers / WORD_BITS);
    this.high = new Uint32Array(slots);
    this.low = new Uint32Array(slots);
    this.holders = new Uint32Array(slots * this.wordsPerSlot);
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

  stored(workerId: string, hash: Uint8Array): void {
    const number = this.numbers.get(workerId) ?? this.join(workerId);
    const slot = this.slotOf(highOf(hash), lowOf(hash));
    const isNew = !this.isTaken(slot);
    if (number === undefined || (isNew && this.blockCount >= this.mostBlocks)) {
      this.refusedCount++;
      return;
    }
    if (isNew) {
      this.high[slot] = highOf(hash);
      this.low[slot] = lowOf(hash);
      this.blockCount++;
    }
    const word = slot * this.wordsPerSlot + (number >>> 5);
    this.holders[word] = this.holders[word]! | (1 << (number & 31));
  }

  removed(workerId: string, hash: Uint8Array): void {
    const number = this.numbers.get(workerId);
    const slot = this.slotOf(highOf(hash), lowOf(hash));
    if (number === undefined || !this.isTaken(slot)) return;
    this.drop(slot, number);
  }

  /** The worker holds nothing any more. */
  removeWorker(workerId: string): void {
    const number = this.numbers.get(workerId);
    if (number === undefined) return;
    const word = number >>> 5;
    const bit = 1 << (number & 31);
    // Deleting moves later slots back: a slot is looked at until what is in it stays.
    for (let slot = 0; slot <= this.slotMask; ) {
      const holds = (this.holders[slot * this.wordsPerSlot + word]! & bit) !== 0;
      if (!holds || !this.drop(slot, number)) slot++;
    }
    this.numbers.delete(workerId);
    this.freeNumbers.push(number);
  }

  leadingBlocks(hashes: readonly Uint8Array[]): (workerId: string) => number {
    const { wordsPerSlot } = this;
    const holding = new Uint32Array(wordsPerSlot).fill(0xffffffff);
    const depths = new Map<number, number>();
    let depth = 0;
    for (; depth < hashes.length; depth++) {
      const hash = hashes[depth]!;
      const slot = this.slotOf(highOf(hash), lowOf(hash));
      const isTaken = this.isTaken(slot);
      let left = 0;
      for (let word = 0; word < wordsPerSlot; word++) {
        const held = isTaken ? this.holders[slot * wordsPerSlot + word]! : 0;
        let lost = holding[word]! & ~held;
        if (depth > 0) {
          for (; lost !== 0; lost &= lost - 1) depths.set(word * WORD_BITS + 31 - Math.clz32(lost & -lost), depth);
        }
        holding[word] = holding[word]! & held;
        left |= holding[word]!;
      }
      if (left === 0) break;
    }
    for (let word = 0; word < wordsPerSlot; word++) {
      for (let held = holding[word]!; held !== 0; held &= held - 1) {
        depths.set(word * WORD_BITS + 31 - Math.clz32(held & -held), depth);
      }
    }
    return (workerId) => depths.get(this.numbers.get(workerId) ?? -1) ?? 0;
  }

  private join(workerId: string): number | undefined {
    const number = this.freeNumbers.pop();
    if (number !== undefined) this.numbers.set(workerId, number);
    return number;
  }

  /** The slot that has the hash, or the free one where it would go. */
  private slotOf(high: number, low: number): number {
    let slot = low & this.slotMask;
    while (this.isTaken(slot) && (this.low[slot] !== low || this.high[slot] !== high))
      slot = (slot + 1) & this.slotMask;
    return slot;
  }

  /** A taken slot has a holder. */
  private isTaken(slot: number): boolean {
    const first = slot * this.wordsPerSlot;
    for (let word = first; word < first + this.wordsPerSlot; word++) if (this.holders[word] !== 0) return true;
    return false;
  }

  /** @returns whether the block had no other holder and the slot was given up */
  private drop(slot: number, number: number): boolean {
    const word = slot * this.wordsPerSlot + (number >>> 5);
    const before = this.holders[word]!;
    this.holders[word] = before & ~(1 << (number & 31));
    if (this.holders[word] === before || this.isTaken(slot)) return false;
    this.blockCount--;
    this.closeGap(slot);
    return true;
  }

  /** Moves back the blocks after a freed slot that would not be found any more. */
  private closeGap(freed: number): void {
    let gap = freed;
    for (let slot = (gap + 1) & this.slotMask; this.isTaken(slot); slot = (slot + 1) & this.slotMask) {
      const home = this.low[slot]! & this.slotMask;
      if (((slot - home) & this.slotMask) < ((slot - gap) & this.slotMask)) continue;
      this.high[gap] = this.high[slot]!;
      this.low[gap] = this.low[slot]!;
      const from = slot * this.wordsPerSlot;
      this.holders.copyWithin(gap * this.wordsPerSlot, from, from + this.wordsPerSlot);
      this.holders.fill(0, from, from + this.wordsPerSlot);
      gap = slot;
    }
  }
}

const highOf = (hash: Uint8Array) => ((hash[0]! << 24) | (hash[1]! << 16) | (hash[2]! << 8) | hash[3]!) >>> 0;
const lowOf = (hash: Uint8Array) => ((hash[4]! << 24) | (hash[5]! << 16) | (hash[6]! << 8) | hash[7]!) >>> 0;
