/** Who holds which block of one prompt. */
export interface BlockHolders {
  /** These blocks are looked at next: begins to load all of them. */
  locate(blocks: Uint32Array, count: number): void;
  /** @param index  which of the blocks that were located last `isHeldBy` tells of from now on */
  look(index: number): void;
  isHeldBy(number: number): boolean;
}

/** Sets of workers, each of which hold at least `least` blocks and at most `most`: those in `order` from `starts` to before `ends`. */
class WorkerSets {
  count = 0;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly least: Uint32Array;
  readonly most: Uint32Array;

  /** Sets have no worker in common, so there are no more of them than workers. */
  constructor(workers: number) {
    this.starts = new Uint32Array(workers);
    this.ends = new Uint32Array(workers);
    this.least = new Uint32Array(workers);
    this.most = new Uint32Array(workers);
  }

  add(start: number, end: number, least: number, most: number): void {
    const index = this.count++;
    this.starts[index] = start;
    this.ends[index] = end;
    this.least[index] = least;
    this.most[index] = most;
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
  /** Places of the workers in what is asked and answered, those of a set side by side. */
  private readonly order: Uint32Array;

  /** @param mostWorkers  that are asked about at once */
  constructor(mostWorkers: number) {
    this.round = new WorkerSets(mostWorkers);
    this.nextRound = new WorkerSets(mostWorkers);
    this.asked = new Uint32Array(mostWorkers);
    this.order = new Uint32Array(mostWorkers);
  }

  /**
   * @param numbers  of the workers, by which `holders` know them; undefined for one that holds nothing
   * @returns leading blocks in the order of `numbers`. Exact for a worker that holds, with any block, all those before it; of
   *   another one the end of some run of blocks that it holds, 0 without the first one
   */
  find(numbers: readonly (number | undefined)[], blocks: number, holders: BlockHolders): number[] {
    const depths = new Array<number>(numbers.length).fill(0);
    const { order } = this;
    let count = 0;
    for (let place = 0; place < numbers.length; place++) if (numbers[place] !== undefined) order[count++] = place;
    this.round.count = 0;
    this.goOn(this.round, 0, count, 0, blocks, depths);
    while (this.round.count > 0) this.halve(numbers, holders, depths);
    return depths;
  }

  private halve(numbers: readonly (number | undefined)[], holders: BlockHolders, depths: number[]): void {
    const { round, nextRound, asked, order } = this;
    for (let index = 0; index < round.count; index++) asked[index] = round.askedOf(index);
    holders.locate(asked, round.count);
    nextRound.count = 0;
    for (let index = 0; index < round.count; index++) {
      holders.look(index);
      const start = round.starts[index]!;
      const end = round.ends[index]!;
      let holding = start;
      for (let at = start; at < end; at++) {
        const place = order[at]!;
        if (!holders.isHeldBy(numbers[place]!)) continue;
        order[at] = order[holding]!;
        order[holding++] = place;
      }
      this.goOn(nextRound, start, holding, asked[index]! + 1, round.most[index]!, depths);
      this.goOn(nextRound, holding, end, round.least[index]!, asked[index]!, depths);
    }
    this.round = nextRound;
    this.nextRound = round;
  }

  private goOn(sets: WorkerSets, start: number, end: number, least: number, most: number, depths: number[]): void {
    if (start === end) return;
    if (least < most) {
      sets.add(start, end, least, most);
      return;
    }
    for (let at = start; at < end; at++) depths[this.order[at]!] = least;
  }
}
