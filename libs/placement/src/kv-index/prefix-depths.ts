const WORD_BITS = 32;

/** Who holds which block of one prompt. */
export interface BlockHolders {
  /** These blocks are read next: begins to load all of them. */
  locate(blocks: Uint32Array, count: number): void;
  /**
   * @param index  which of the blocks that were located last
   * @param into   a bit for each worker, shape [words]
   */
  read(index: number, into: Uint32Array): void;
}

/** Sets of workers, each of which hold at least `least` blocks and at most `most`. */
class WorkerSets {
  count = 0;
  readonly least: Uint32Array;
  readonly most: Uint32Array;
  /** Shape [count, words]. */
  readonly bits: Uint32Array;

  /** Sets have no worker in common, so there are no more of them than workers. */
  constructor(private readonly words: number) {
    this.least = new Uint32Array(words * WORD_BITS);
    this.most = new Uint32Array(words * WORD_BITS);
    this.bits = new Uint32Array(words * words * WORD_BITS);
  }

  add(set: Uint32Array, least: number, most: number): void {
    this.least[this.count] = least;
    this.most[this.count] = most;
    const at = this.count * this.words;
    for (let word = 0; word < this.words; word++) this.bits[at + word] = set[word]!;
    this.count++;
  }

  /** Most workers hold nothing of a prompt, not even its first block. */
  askedOf(index: number): number {
    const least = this.least[index]!;
    return least === 0 ? 0 : (least + this.most[index]!) >> 1;
  }
}

/**
 * How many leading blocks of a prompt each of a set of workers holds, though few blocks are looked at: those of the set that hold the
 * block in the middle go on behind it and the others before it, until all of a set hold the same. For k workers that hold k
 * different lengths that takes about k · log₂(blocks / k) looks. All sets are halved together, round by round: a look at a large
 * index waits for memory, and those of one round wait at the same time.
 */
export class PrefixDepths {
  private round: WorkerSets;
  private nextRound: WorkerSets;
  private readonly asked: Uint32Array;
  private readonly holding: Uint32Array;
  private readonly missing: Uint32Array;
  /** Where a worker stands in what is asked and answered. */
  private readonly places: Int32Array;

  /** @param words  that hold a bit for each worker */
  constructor(private readonly words: number) {
    this.round = new WorkerSets(words);
    this.nextRound = new WorkerSets(words);
    this.asked = new Uint32Array(words * WORD_BITS);
    this.holding = new Uint32Array(words);
    this.missing = new Uint32Array(words);
    this.places = new Int32Array(words * WORD_BITS);
  }

  /**
   * @param numbers  the workers' bits; undefined for one that holds nothing
   * @returns leading blocks in the order of `numbers`. Exact for a worker that holds, with any block, all those before it; of
   *   another one the end of some run of blocks that it holds, 0 without the first one
   */
  find(numbers: readonly (number | undefined)[], blocks: number, holders: BlockHolders): Uint32Array {
    const depths = new Uint32Array(numbers.length);
    if (blocks === 0) return depths;
    const all = this.missing.fill(0);
    for (let place = 0; place < numbers.length; place++) {
      const number = numbers[place];
      if (number === undefined) continue;
      all[number >>> 5] = all[number >>> 5]! | (1 << (number & 31));
      this.places[number] = place;
    }
    this.round.count = 0;
    this.round.add(all, 0, blocks);
    while (this.round.count > 0) this.halve(holders, depths);
    return depths;
  }

  private halve(holders: BlockHolders, depths: Uint32Array): void {
    const { round, nextRound, asked, holding, missing, words } = this;
    for (let index = 0; index < round.count; index++) asked[index] = round.askedOf(index);
    holders.locate(asked, round.count);
    nextRound.count = 0;
    for (let index = 0; index < round.count; index++) {
      holders.read(index, holding);
      let held = 0;
      let left = 0;
      for (let word = 0; word < words; word++) {
        const set = round.bits[index * words + word]!;
        missing[word] = set & ~holding[word]!;
        holding[word] = set & holding[word]!;
        held |= holding[word]!;
        left |= missing[word]!;
      }
      if (held !== 0) this.goOn(holding, asked[index]! + 1, round.most[index]!, depths);
      if (left !== 0) this.goOn(missing, round.least[index]!, asked[index]!, depths);
    }
    this.round = nextRound;
    this.nextRound = round;
  }

  private goOn(set: Uint32Array, least: number, most: number, depths: Uint32Array): void {
    if (least < most) {
      this.nextRound.add(set, least, most);
      return;
    }
    for (let word = 0; word < this.words; word++) {
      for (let left = set[word]!; left !== 0; left &= left - 1) {
        depths[this.places[word * WORD_BITS + 31 - Math.clz32(left & -left)]!] = least;
      }
    }
  }
}
