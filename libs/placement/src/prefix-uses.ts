import type { PrefixHashes } from '#lib/kv';
import { marksOf } from './prefix-marks.js';

/** Chosen: prompts come back after several times as long as blocks stay, and 64 bytes beside the index's 67 are no more than it takes. */
const PREFIXES_PER_INDEXED_BLOCK = 8;

/** Chosen: 268 MB, so that an index of ten million blocks and its uses stay below 1 GB together. */
const MOST_PREFIXES = 2 ** 25;

/** @returns how many prefixes' uses are remembered beside an index of so many blocks */
export function rememberedPrefixes(indexedBlocks: number): number {
  return Math.min(MOST_PREFIXES, PREFIXES_PER_INDEXED_BLOCK * indexedBlocks);
}

/** Uses that are told apart; who was used four times counts as who was used forty times. */
const MOST_USES = 4;

/** Counters that a prefix has, all in one line of the processor's cache, so that a look at it costs one miss. */
const COUNTERS_PER_PREFIX = 4;

/** The first byte of a line is the generation it was looked at last in, modulo 256; the rest are counters. */
const LINE_BYTES = 64;
const LINE_COUNTERS = LINE_BYTES - 1;

/** Of its buffer: large ones begin 16 bytes behind the start of a page (glibc's header), so lines are those of the processor. */
const FIRST_LINE_AT = LINE_BYTES - 16;

/** Counters for each prefix that a generation remembers. Chosen: then one prefix in a hundred that is new looks used. */
const ROOM_PER_PREFIX = 16;

/** A byte has two counters, of an even and of an odd generation. */
const COUNTER_BITS = 4;
const COUNTER_MASK = 0b1111;

/**
 * How many of the prompts that were placed began with a prefix, over all workers and whether or not any of them holds it still. Workers see only what
 * they are given: of a prompt that comes back to another one, or when its blocks have gone, they would say that it is new.
 *
 * A count-min sketch with conservative update, in two generations: when `capacity / 2` prefixes are in the young one it becomes the old one,
 * and what was in the old one and not used since is forgotten. So between half of `capacity` and all of it is remembered, in 8 bytes for each prefix
 * of it, rounded up to a power of two. Of a prompt only some blocks are looked at (`marksOf`): a thousand cost 113. Counters that a generation has to
 * forget are cleared line by line, when a line is looked at for the first time in it: nothing ever waits for all of them.
 * @see Cormode and Muthukrishnan 2005, An improved data stream summary: the count-min sketch and its applications
 * @see Einziger, Friedman and Manes 2017, TinyLFU, arXiv:1512.00727 (a sketch of what is not cached decides what is)
 */
export class PrefixUses {
  /** Shape [lines, 64]. Each line has some of its 4 prefixes a generation, so that none is passed over 256 times. */
  private readonly counters: Uint8Array;
  private readonly lineMask: number;
  private readonly mostYoung: number;
  private generation = 0;
  private youngCount = 0;
  /** Of each mark of the prompt: where its line begins, and which counters in it. */
  private lines = new Uint32Array(0);
  private choices = new Uint32Array(0);
  /** Counters of the prefix that was looked at last, and its uses by the young generation alone. */
  private readonly places = new Uint32Array(COUNTERS_PER_PREFIX);
  private youngUses = 0;
  /** Says nothing, but what goes into it has to be loaded. */
  protected touched = 0;

  /** @param capacity  prefixes that are remembered at most */
  constructor(capacity: number) {
    this.mostYoung = Math.max(1, Math.ceil(capacity / 2));
    const lines = 2 ** Math.ceil(Math.log2(Math.max(1, (ROOM_PER_PREFIX * this.mostYoung) / LINE_BYTES)));
    this.lineMask = lines - 1;
    this.counters = new Uint8Array(new ArrayBuffer(FIRST_LINE_AT + lines * LINE_BYTES), FIRST_LINE_AT);
  }

  /** Bytes of its counters. */
  get memoryBytes(): number {
    return this.counters.byteLength;
  }

  /**
   * One more prompt.
   * @returns leading blocks that at least one, two and three earlier prompts began with, as many as are not 0
   */
  add(hashes: PrefixHashes): readonly number[] {
    const blocks: number[] = [];
    let least = MOST_USES;
    const marks = marksOf(hashes.length);
    this.locate(hashes, marks);
    for (let mark = 0; mark < marks.length; mark++) {
      const uses = this.usesOf(mark);
      this.raise(Math.min(MOST_USES, uses + 1));
      // No prefix is used less than a longer one: where it looks so, counters are shared.
      least = Math.min(least, uses);
      note(blocks, marks[mark]! + 1, least);
    }
    if (this.youngCount >= this.mostYoung) {
      this.generation++;
      this.youngCount = 0;
    }
    return blocks;
  }

  /** As of a prompt that was added before, when it was. Later ones count, too. */
  of(hashes: PrefixHashes): readonly number[] {
    const blocks: number[] = [];
    let least = MOST_USES;
    const marks = marksOf(hashes.length);
    this.locate(hashes, marks);
    for (let mark = 0; mark < marks.length; mark++) {
      least = Math.min(least, this.usesOf(mark) - 1);
      if (least <= 0) break;
      note(blocks, marks[mark]! + 1, least);
    }
    return blocks;
  }

  /** Where the counters of all marks are, and begins to load them. */
  private locate(hashes: PrefixHashes, marks: readonly number[]): void {
    if (this.lines.length < marks.length) {
      this.lines = new Uint32Array(marks.length);
      this.choices = new Uint32Array(marks.length);
    }
    const { lines, choices, counters, lineMask } = this;
    for (let mark = 0; mark < marks.length; mark++) {
      const block = marks[mark]!;
      lines[mark] = (hashes.word(block, 8) & lineMask) * LINE_BYTES;
      choices[mark] = hashes.word(block, 12);
    }
    // A loop this short has the processor wait for many lines at once: of 1 GB, 56 ns each instead of 422 one after the other (2026-11-29).
    let touched = 0;
    for (let mark = 0; mark < marks.length; mark++) touched ^= counters[lines[mark]!]!;
    this.touched = touched;
  }

  /** Looks at a mark of the prompt. */
  private usesOf(mark: number): number {
    const { counters, places, generation } = this;
    const line = this.lines[mark]!;
    if (counters[line] !== (generation & 0xff)) this.forget(line);
    const youngShift = (generation & 1) * COUNTER_BITS;
    let bits = this.choices[mark]!;
    let young = MOST_USES;
    let old = MOST_USES;
    for (let index = 0; index < COUNTERS_PER_PREFIX; index++, bits >>>= 8) {
      const place = line + 1 + (((bits & 0xff) * LINE_COUNTERS) >> 8);
      places[index] = place;
      const counter = counters[place]!;
      young = Math.min(young, (counter >> youngShift) & COUNTER_MASK);
      old = Math.min(old, (counter >> (COUNTER_BITS - youngShift)) & COUNTER_MASK);
    }
    this.youngUses = young;
    return Math.max(young, old);
  }

  /** The prefix that was looked at has so many uses from now on. */
  private raise(uses: number): void {
    const { counters, places } = this;
    const youngShift = (this.generation & 1) * COUNTER_BITS;
    if (this.youngUses === 0) this.youngCount++;
    for (let index = 0; index < COUNTERS_PER_PREFIX; index++) {
      const place = places[index]!;
      const counter = counters[place]!;
      if (((counter >> youngShift) & COUNTER_MASK) >= uses) continue;
      counters[place] = (counter & ~(COUNTER_MASK << youngShift)) | (uses << youngShift);
    }
  }

  /** The line that begins there is looked at for the first time in this generation: only what the one before counted stays. */
  private forget(line: number): void {
    const { counters, generation } = this;
    const isOfLast = counters[line] === ((generation - 1) & 0xff);
    const kept = isOfLast ? COUNTER_MASK << (((generation - 1) & 1) * COUNTER_BITS) : 0;
    const end = line + LINE_BYTES;
    for (let place = line + 1; place < end; place++) counters[place] = counters[place]! & kept;
    counters[line] = generation & 0xff;
  }
}

/** So many blocks have been used at least so often. */
function note(blocks: number[], depth: number, uses: number): void {
  for (let index = 0; index < Math.min(uses, MOST_USES - 1); index++) blocks[index] = depth;
}
