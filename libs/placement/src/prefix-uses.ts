import { marksOf } from './prefix-marks.js';
import { hashWord } from './short-hash.js';

/**
 * Prefixes whose uses are remembered for each block of the index. Chosen: prompts come back after several times as long as blocks stay, and 64 bytes
 * beside the index's 67 are no more than it takes.
 */
export const PREFIXES_PER_INDEXED_BLOCK = 8;

/** Uses that are told apart; who was used four times counts as who was used forty times. */
const MOST_USES = 4;

/** Counters that a prefix has, all in one line of the processor's cache, so that a look at it costs one miss. */
const COUNTERS_PER_PREFIX = 4;
const LINE_COUNTERS = 64;

/** Counters for each prefix that a generation remembers. Chosen: then one prefix in a hundred that is new looks used. */
const ROOM_PER_PREFIX = 16;

/** A byte has the counter of each of the two generations. */
const GENERATION_BITS = 4;
const COUNTER_MASK = 0b1111;
const OF_GENERATION = { 0: 0x0f0f0f0f, [GENERATION_BITS]: 0xf0f0f0f0 } as const;

/**
 * How many of the prompts that were placed began with a prefix, over all workers and whether or not any of them holds it still. Workers see only what
 * they are given: of a prompt that comes back to another one, or when its blocks have gone, they would say that it is new.
 *
 * A count-min sketch with conservative update, in two generations: when `capacity / 2` prefixes are in the young one it becomes the old one,
 * and what was in the old one and not used since is forgotten. So between half of `capacity` and all of it is remembered, in 8 bytes for each prefix
 * of it, rounded up to a power of two. Of a prompt only some blocks are looked at (`marksOf`): a thousand cost 113. Clearing a generation takes
 * milliseconds for millions of prefixes, once in as many.
 * @see Cormode and Muthukrishnan 2005, An improved data stream summary: the count-min sketch and its applications
 * @see Einziger, Friedman and Manes 2017, TinyLFU, arXiv:1512.00727 (a sketch of what is not cached decides what is)
 */
export class PrefixUses {
  private readonly counters: Uint8Array;
  private readonly lineMask: number;
  private readonly mostYoung: number;
  private youngShift: 0 | typeof GENERATION_BITS = 0;
  private youngCount = 0;
  /** Counters of the prefix that was looked at last, and its uses by the young generation alone. */
  private readonly places = new Uint32Array(COUNTERS_PER_PREFIX);
  private youngUses = 0;

  /** @param capacity  prefixes that are remembered at most */
  constructor(capacity: number) {
    this.mostYoung = Math.max(1, Math.ceil(capacity / 2));
    const lines = 2 ** Math.ceil(Math.log2(Math.max(1, (ROOM_PER_PREFIX * this.mostYoung) / LINE_COUNTERS)));
    this.lineMask = lines - 1;
    this.counters = new Uint8Array(lines * LINE_COUNTERS);
  }

  /** Bytes of its counters. */
  get memoryBytes(): number {
    return this.counters.byteLength;
  }

  /**
   * One more prompt.
   * @param hashes  of its full blocks, chained, 16 bytes each
   * @returns leading blocks that at least one, two and three earlier prompts began with, as many as are not 0
   */
  add(hashes: readonly Uint8Array[]): readonly number[] {
    const blocks: number[] = [];
    let least = MOST_USES;
    for (const position of marksOf(hashes.length)) {
      const uses = this.usesOf(hashes[position]!);
      this.raise(Math.min(MOST_USES, uses + 1));
      // No prefix is used less than a longer one: where it looks so, counters are shared.
      least = Math.min(least, uses);
      note(blocks, position + 1, least);
    }
    if (this.youngCount >= this.mostYoung) this.beginGeneration();
    return blocks;
  }

  /** As of a prompt that was added before, when it was. Later ones count, too. */
  of(hashes: readonly Uint8Array[]): readonly number[] {
    const blocks: number[] = [];
    let least = MOST_USES;
    for (const position of marksOf(hashes.length)) {
      least = Math.min(least, this.usesOf(hashes[position]!) - 1);
      if (least <= 0) break;
      note(blocks, position + 1, least);
    }
    return blocks;
  }

  /** Looks at a prefix. */
  private usesOf(hash: Uint8Array): number {
    const { counters, places, youngShift } = this;
    const line = (hashWord(hash, 8) & this.lineMask) * LINE_COUNTERS;
    let bits = hashWord(hash, 12);
    let young = MOST_USES;
    let old = MOST_USES;
    for (let index = 0; index < COUNTERS_PER_PREFIX; index++, bits >>>= 6) {
      const place = line + (bits % LINE_COUNTERS);
      places[index] = place;
      const counter = counters[place]!;
      young = Math.min(young, (counter >> youngShift) & COUNTER_MASK);
      old = Math.min(old, (counter >> (GENERATION_BITS - youngShift)) & COUNTER_MASK);
    }
    this.youngUses = young;
    return Math.max(young, old);
  }

  /** The prefix that was looked at has so many uses from now on. */
  private raise(uses: number): void {
    const { counters, places, youngShift } = this;
    if (this.youngUses === 0) this.youngCount++;
    for (const place of places) {
      const counter = counters[place]!;
      if (((counter >> youngShift) & COUNTER_MASK) >= uses) continue;
      counters[place] = (counter & ~(COUNTER_MASK << youngShift)) | (uses << youngShift);
    }
  }

  private beginGeneration(): void {
    const words = new Uint32Array(this.counters.buffer);
    const kept = OF_GENERATION[this.youngShift];
    for (let word = 0; word < words.length; word++) words[word]! &= kept;
    this.youngShift = this.youngShift === 0 ? GENERATION_BITS : 0;
    this.youngCount = 0;
  }
}

/** So many blocks have been used at least so often. */
function note(blocks: number[], depth: number, uses: number): void {
  for (let index = 0; index < Math.min(uses, MOST_USES - 1); index++) blocks[index] = depth;
}
