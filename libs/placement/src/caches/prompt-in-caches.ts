import { SEGMENT_BLOCKS } from '#lib/kv';
import type { CacheView } from './cache-view.js';

/** Pieces of a prompt that come from different caches. Chosen: 64 segments are 65,536 tokens; whoever needs more has parts on all of them. */
const MOST_RUNS = 64;

/** Blocks of a prompt that one cache holds, one behind the other. */
export interface CacheRun {
  readonly cache: CacheView;
  readonly firstBlock: number;
  /** The one behind its last. */
  readonly endBlock: number;
}

/**
 * Looks a part of one segment up.
 * @returns the cache that holds most of it, from its first block on; undefined when none holds that
 */
export type LookUpRun = (firstBlock: number, endBlock: number) => CacheRun | undefined;

/**
 * Where the blocks of one prompt are. Workers spread segments of a chain over the caches, so each segment is looked up by itself, and whole
 * ones only once. For one decision: nothing may change until it is made.
 */
export class PromptInCaches {
  private readonly whole = new Map<number, CacheRun | undefined>();

  constructor(
    private readonly blocks: number,
    private readonly lookUp: LookUpRun,
  ) {}

  /** @returns what caches hold from a block on up to the first that none of them holds, in order */
  runsFrom(firstBlock: number): CacheRun[] {
    const runs: CacheRun[] = [];
    for (let next = firstBlock; next < this.blocks; ) {
      const run = next % SEGMENT_BLOCKS === 0 ? this.segmentAt(next) : this.lookUp(next, this.endOfSegment(next));
      if (run === undefined) break;
      const last = runs.at(-1);
      if (last?.cache === run.cache) runs[runs.length - 1] = { ...last, endBlock: run.endBlock };
      else if (runs.length === MOST_RUNS) break;
      else runs.push(run);
      next = run.endBlock;
    }
    return runs;
  }

  private segmentAt(firstBlock: number): CacheRun | undefined {
    if (!this.whole.has(firstBlock)) {
      this.whole.set(firstBlock, this.lookUp(firstBlock, this.endOfSegment(firstBlock)));
    }
    return this.whole.get(firstBlock);
  }

  private endOfSegment(block: number): number {
    return Math.min(this.blocks, (Math.floor(block / SEGMENT_BLOCKS) + 1) * SEGMENT_BLOCKS);
  }
}
