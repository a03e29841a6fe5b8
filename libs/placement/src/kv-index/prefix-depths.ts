const WORD_BITS = 32;

/**
 * Reads who holds a block of the prompt.
 * @param into  a bit for each worker, shape [words]
 */
export type ReadHolders = (block: number, into: Uint32Array) => void;

/**
 * How many leading blocks of a prompt each of a set of workers holds, though few blocks are looked at: those of the set that hold the
 * block in the middle go on behind it and the others before it, until all of a set hold the same. For k workers that hold k
 * different lengths that takes about k · log₂(blocks / k) looks.
 */
export class PrefixDepths {
  private readonly holders: Uint32Array;
  /** Sets of workers, two for each halving under way. */
  private readonly sets: Uint32Array[] = [];
  private readonly places: Int32Array;
  private depths = new Uint32Array(0);

  /** @param words  that hold a bit for each worker */
  constructor(private readonly words: number) {
    this.holders = new Uint32Array(words);
    this.places = new Int32Array(words * WORD_BITS);
  }

  /**
   * @param numbers  the workers' bits; undefined for one that holds nothing
   * @returns leading blocks in the order of `numbers`. Exact for a worker that holds, with any block, all those before it; of
   *   another one the end of some run of blocks that it holds, 0 without the first one
   */
  find(numbers: readonly (number | undefined)[], blocks: number, read: ReadHolders): Uint32Array {
    this.depths = new Uint32Array(numbers.length);
    const all = this.set(0).fill(0);
    for (let place = 0; place < numbers.length; place++) {
      const number = numbers[place];
      if (number === undefined) continue;
      all[number >>> 5] = all[number >>> 5]! | (1 << (number & 31));
      this.places[number] = place;
    }
    if (blocks > 0) this.settle(all, 0, blocks, 0, read);
    return this.depths;
  }

  /** All of the set hold at least `least` blocks and at most `most`. */
  private settle(set: Uint32Array, least: number, most: number, halvings: number, read: ReadHolders): void {
    if (least === most) {
      this.note(set, least);
      return;
    }
    const asked = least === 0 ? 0 : (least + most) >> 1; // most workers hold nothing of a prompt, not even its first block
    const { holders } = this;
    read(asked, holders);
    const holding = this.set(2 * halvings + 1);
    const missing = this.set(2 * halvings + 2);
    let held = 0;
    let left = 0;
    for (let word = 0; word < this.words; word++) {
      holding[word] = set[word]! & holders[word]!;
      missing[word] = set[word]! & ~holders[word]!;
      held |= holding[word]!;
      left |= missing[word]!;
    }
    if (held !== 0) this.settle(holding, asked + 1, most, halvings + 1, read);
    if (left !== 0) this.settle(missing, least, asked, halvings + 1, read);
  }

  private note(set: Uint32Array, depth: number): void {
    for (let word = 0; word < this.words; word++) {
      for (let left = set[word]!; left !== 0; left &= left - 1) {
        this.depths[this.places[word * WORD_BITS + 31 - Math.clz32(left & -left)]!] = depth;
      }
    }
  }

  private set(index: number): Uint32Array {
    let set = this.sets[index];
    if (set === undefined) {
      set = new Uint32Array(this.words);
      this.sets[index] = set;
    }
    return set;
  }
}
