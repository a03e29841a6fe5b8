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
/** Words of a hash that are kept. */
const KEY_WORDS = 2;
/**
 * Blocks of a prompt whose slots are found before their holders are read: memory then brings many of them at once, not one after
 * the other. Chosen: more does not help a core that has 10 to 16 reads under way.
 */
const BATCH_BLOCKS = 64;

/**
 * Block hash → set of workers, in typed arrays of a fixed size: 8 bytes of the hash and one bit per worker in each slot, open
 * addressing with linear probing, deletion by moving back what follows. Hashes are cut to 64 bits here: a collision costs time,
 * never correctness. Memory: (8 + 4 · ceil(workers / 32)) / 0.6 bytes per block, rounded up to a power of two of slots. A look at a
 * block touches two lines of memory, whatever the number of workers.
 */
export class KvIndex extends PrefixLookup {
  /** Two words of each slot's hash, shape [slots, KEY_WORDS]; both 0 in a free slot. */
  private readonly keys: Uint32Array;
  /** A bit for each worker, shape [slots, wordsPerSlot]; never all 0 in a taken slot. */
  private readonly holders: Uint32Array;
  private readonly wordsPerSlot: number;
  private readonly slotMask: number;
  private readonly mostBlocks: number;
  private readonly numbers = new Map<string, number>();
  private readonly freeNumbers: number[];
  private readonly batchSlots = new Int32Array(BATCH_BLOCKS);
  private blockCount = 0;
  private refusedCount = 0;
  /** The last answer, good until something changes: one decision asks several times. */
  private last: { readonly hashes: readonly Uint8Array[]; readonly answer: (workerId: string) => number } | undefined;

  constructor({ capacityBlocks, capacityWorkers }: KvIndexOptions) {
    super();
    const slots = 2 ** Math.ceil(Math.log2(Math.max(8, capacityBlocks / MOST_OCCUPIED)));
    this.slotMask = slots - 1;
    this.mostBlocks = capacityBlocks;
    this.wordsPerSlot = Math.ceil(capacityWorkers / WORD_BITS);
    this.keys = new Uint32Array(slots * KEY_WORDS);
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

  /** Bytes of its tables. */
  get memoryBytes(): number {
    return this.keys.byteLength + this.holders.byteLength;
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
    this.last = undefined;
    if (isNew) {
      this.keys[slot * KEY_WORDS] = high;
      this.keys[slot * KEY_WORDS + 1] = low;
      this.blockCount++;
    }
    const word = slot * this.wordsPerSlot + (number >>> 5);
    this.holders[word] = this.holders[word]! | (1 << (number & 31));
  }

  removed(workerId: string, hash: Uint8Array): void {
    const number = this.numbers.get(workerId);
    const slot = this.slotOf(highOf(hash), lowOf(hash));
    if (number === undefined || !this.isTaken(slot)) return;
    this.last = undefined;
    this.drop(slot, number);
  }

  /** The worker holds nothing any more. */
  removeWorker(workerId: string): void {
    const number = this.numbers.get(workerId);
    if (number === undefined) return;
    this.last = undefined;
    const { holders, wordsPerSlot } = this;
    const bit = 1 << (number & 31);
    // Deleting moves later slots back: a slot is looked at until what is in it stays.
    for (let slot = 0, word = number >>> 5; slot <= this.slotMask; ) {
      const holds = (holders[word]! & bit) !== 0;
      if (holds && this.drop(slot, number)) continue;
      slot++;
      word += wordsPerSlot;
    }
    this.numbers.delete(workerId);
    this.freeNumbers.push(number);
  }

  leadingBlocks(hashes: readonly Uint8Array[]): (workerId: string) => number {
    if (this.last?.hashes === hashes) return this.last.answer;
    const depths = this.depthsOf(hashes);
    const answer = (workerId: string) => depths.get(this.numbers.get(workerId) ?? -1) ?? 0;
    this.last = { hashes, answer };
    return answer;
  }

  /** Leading blocks by number of worker; who holds none is left out. */
  private depthsOf(hashes: readonly Uint8Array[]): ReadonlyMap<number, number> {
    const { holders, wordsPerSlot, batchSlots } = this;
    const holding = new Uint32Array(wordsPerSlot).fill(0xffffffff);
    const depths = new Map<number, number>();
    const note = (word: number, bits: number, depth: number) => {
      for (let left = bits; left !== 0; left &= left - 1) {
        depths.set(word * WORD_BITS + 31 - Math.clz32(left & -left), depth);
      }
    };
    let depth = 0;
    for (let isHeld = true; isHeld && depth < hashes.length; ) {
      const batch = Math.min(BATCH_BLOCKS, hashes.length - depth);
      for (let index = 0; index < batch; index++) {
        const hash = hashes[depth + index]!;
        batchSlots[index] = this.slotOf(highOf(hash), lowOf(hash));
      }
      for (let index = 0; index < batch; index++) {
        const first = batchSlots[index]! * wordsPerSlot; // the words of a free slot are 0
        let held = 0;
        for (let word = 0; word < wordsPerSlot; word++) {
          const before = holding[word]!;
          const after = before & holders[first + word]!;
          if (after !== before) {
            if (depth > 0) note(word, before & ~after, depth);
            holding[word] = after;
          }
          held |= after;
        }
        isHeld = held !== 0;
        if (!isHeld) break;
        depth++;
      }
    }
    for (let word = 0; word < wordsPerSlot; word++) note(word, holding[word]!, depth);
    return depths;
  }

  private join(workerId: string): number | undefined {
    const number = this.freeNumbers.pop();
    if (number !== undefined) this.numbers.set(workerId, number);
    return number;
  }

  /** The slot that has the hash, or the free one where it would go. */
  private slotOf(high: number, low: number): number {
    const { keys, slotMask } = this;
    let slot = low & slotMask;
    for (;;) {
      const keyHigh = keys[slot * KEY_WORDS]!;
      const keyLow = keys[slot * KEY_WORDS + 1]!;
      if ((keyHigh === high && keyLow === low) || (keyHigh === 0 && keyLow === 0)) return slot;
      slot = (slot + 1) & slotMask;
    }
  }

  private isTaken(slot: number): boolean {
    return this.keys[slot * KEY_WORDS] !== 0 || this.keys[slot * KEY_WORDS + 1] !== 0;
  }

  private isHeld(slot: number): boolean {
    const first = slot * this.wordsPerSlot;
    for (let word = first; word < first + this.wordsPerSlot; word++) if (this.holders[word] !== 0) return true;
    return false;
  }

  /** @returns whether the block had no other holder and the slot was given up */
  private drop(slot: number, number: number): boolean {
    const word = slot * this.wordsPerSlot + (number >>> 5);
    const before = this.holders[word]!;
    this.holders[word] = before & ~(1 << (number & 31));
    if (this.holders[word] === before || this.isHeld(slot)) return false;
    this.blockCount--;
    this.closeGap(slot);
    return true;
  }

  /** Moves back the blocks after a freed slot that would not be found any more. */
  private closeGap(freed: number): void {
    const { keys, holders, wordsPerSlot, slotMask } = this;
    let gap = freed;
    for (let slot = (gap + 1) & slotMask; this.isTaken(slot); slot = (slot + 1) & slotMask) {
      const home = keys[slot * KEY_WORDS + 1]! & slotMask;
      if (((slot - home) & slotMask) < ((slot - gap) & slotMask)) continue;
      keys.copyWithin(gap * KEY_WORDS, slot * KEY_WORDS, (slot + 1) * KEY_WORDS);
      holders.copyWithin(gap * wordsPerSlot, slot * wordsPerSlot, (slot + 1) * wordsPerSlot);
      gap = slot;
    }
    keys.fill(0, gap * KEY_WORDS, (gap + 1) * KEY_WORDS);
    holders.fill(0, gap * wordsPerSlot, (gap + 1) * wordsPerSlot);
  }
}

/** Never 0: a hash of zeros would look like a free slot. */
const highOf = (hash: Uint8Array) => ((hash[0]! << 24) | (hash[1]! << 16) | (hash[2]! << 8) | hash[3]!) >>> 0 || 1;
const lowOf = (hash: Uint8Array) => ((hash[4]! << 24) | (hash[5]! << 16) | (hash[6]! << 8) | hash[7]!) >>> 0;
