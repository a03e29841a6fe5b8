import { AnswerLengths } from './answer-lengths.js';
import { Branches } from './branches.js';
import type { EvictionPolicy, KeptRequest } from './eviction-policy.js';
import { PromptEnds } from './prompt-ends.js';
import { ShadowCache } from './shadow-cache.js';
import { END_LEVEL, SELDOM_LEVEL, UseCreditOrder } from './use-credit-order.js';

/** Credits that compete, in cache fills for each use; 0 is least recently used. Chosen: steps of two around what traces like. */
const CREDITS = [0, 0.25, 0.5, 1, 2, 4] as const;
/** Chosen: on two public traces with 800 blocks 2 finds more than 0.5, 1 and 4, with 3,200 more than none; elsewhere the shadows say so. */
const FIRST_CREDIT = 2;

/** By how many cache fills what seldom comes back counts as older. Chosen: then it goes before nearly all others. */
const SELDOM_OLDER = 4;

/** Keys that a shadow cache holds at least, when there are as many: of fewer, chance decides which does best. */
const SHADOW_KEYS = 256;
/** At most one key in so many is left out of the shadow caches. Chosen: of large caches they take less than the blocks that are held. */
const MOST_SPARSE = 8;

/** Keys of gone blocks remembered for each one that is held. */
const REMEMBERED_PER_BLOCK = 4;

/** The best shadow must be this much better before its credit is taken over: less may be chance. */
const CLEARLY_BETTER = 1.02;
const CLEARLY_MORE_HITS = 8;

/** Uses after which what shadows found counts half, in cache fills. */
const HALF_LIFE_FILLS = 16;

/**
 * `lfuda`: least frequently used with dynamic aging. The block goes first whose `last use + credit × (uses − 1)` is the smallest, on
 * a clock that counts uses of blocks: each further use makes a block younger by `credit`. Prompts that nobody continues go early,
 * and what was used often goes too when it is not used any more.
 *
 * How much a use is worth depends on the requests and on the room: with plenty of it, least recently used is better. So a
 * sample of the blocks is followed in small shadow caches, one for each of six credits, and the credit of the one that finds
 * most is taken over. The last blocks of prompts go before all others while it is seen that they seldom come back (`PromptEnds`), and so do
 * the new blocks of prompts whose answers were as long as those of prompts that are seldom continued (`AnswerLengths`). Nothing
 * has to be configured. A block is never older nor used less than those behind it, so leaves go first.
 * A block that other prompts of the fleet had counts as used by them, too, so that the second prompt that has it makes it stay, wherever the first one was.
 * Memory: per block held 9 map entries of a key, and up to 25 more in caches of less than a thousand blocks. Time: constant for
 * each block used or evicted.
 * @see Arlitt et al. 2000, Evaluating Content Management Techniques for Web Proxy Caches (dynamic aging)
 * @see Waldspurger et al. 2017, Cache Modeling and Optimization using Miniature Simulations, USENIX ATC
 */
export class AgedFrequency<Block, Key extends string | number> implements EvictionPolicy<Block> {
  private readonly order = new UseCreditOrder<Key>(REMEMBERED_PER_BLOCK);
  private readonly blocks = new Map<Key, Block>();
  private readonly branches = new Branches<Key>();
  /** New blocks of prompts that have ended and are kept as others are: what another prompt that had them, too, is like does not count. */
  private readonly settled = new Set<Key>();
  private readonly shadows = CREDITS.map((credit) => new ShadowCache<Key>(credit, REMEMBERED_PER_BLOCK));
  private readonly ends = new PromptEnds();
  private readonly answers = new AnswerLengths<Key>();
  private creditPerBlock: number = FIRST_CREDIT;
  private clock = 0;
  private nextHalving = 0;

  /** @param keyOf  names a block, also after it was gone and came again */
  constructor(private readonly keyOf: (block: Block) => Key) {}

  found(chain: readonly Block[]): void {
    for (let index = chain.length - 1; index >= 0; index--) this.use(chain[index]!);
  }

  kept(chain: readonly Block[], { answerTokens, earlierUses = [] }: KeptRequest = {}): void {
    let usesBehind = 0;
    for (let index = chain.length - 1; index >= 0; index--) {
      const key = this.keyOf(chain[index]!);
      this.keep(chain[index]!, index === chain.length - 1, usesAt(index, earlierUses));
      // What is behind it was gone, and more is remembered of it than of this one, which its own request has computed.
      if (this.order.usesOf(key) < usesBehind) this.order.setUses(key, usesBehind, ++this.clock);
      usesBehind = this.order.usesOf(key);
      if (index > 0) this.branches.follows(this.keyOf(chain[index - 1]!), key);
    }
    if (answerTokens !== undefined) this.ended(chain, answerTokens);
  }

  forget(block: Block): void {
    const key = this.keyOf(block);
    this.blocks.delete(key);
    this.order.remove(key);
    this.branches.forget(key);
    this.settled.delete(key);
  }

  *inOrder(): Generator<Block> {
    const { size } = this.order;
    const seldomOlder = SELDOM_OLDER * size;
    const endsOlder = this.ends.areSeldomUsed ? seldomOlder : 0;
    for (const key of this.order.inOrder(this.creditPerBlock * size, endsOlder, seldomOlder))
      yield this.blocks.get(key)!; // both hold the same
  }

  /** @param earlierUses  of other prompts, anywhere */
  private keep(block: Block, isLast: boolean, earlierUses: number): void {
    const key = this.keyOf(block);
    if (!this.order.has(key)) {
      this.use(block, earlierUses);
      if (this.order.levelOf(key) !== 1) return; // it was here before
      this.ends.kept(isLast);
      if (isLast) this.order.setUsedOnce(key, END_LEVEL, this.clock);
    } else if (this.order.usesOf(key) <= earlierUses) {
      this.order.setUses(key, earlierUses + 1, ++this.clock);
    } else if (!isLast && this.order.levelOf(key) === END_LEVEL) {
      this.ends.wentOn();
      this.order.setUsedOnce(key, 1, ++this.clock);
    } else if (!isLast && this.order.levelOf(key) === SELDOM_LEVEL) {
      this.order.setUsedOnce(key, 1, ++this.clock); // something may come behind it that is not of its kind
    } else {
      this.order.refresh(key, ++this.clock);
    }
  }

  /**
   * Its new blocks, an end among them, go early when they are seldom used again; but none before one of another prompt that
   * was computed at the same time and has it, too.
   */
  private ended(chain: readonly Block[], answerTokens: number): void {
    const isNew = (block: Block) => {
      const key = this.keyOf(block);
      const level = this.order.levelOf(key);
      return (level === 1 || level === END_LEVEL) && !this.settled.has(key);
    };
    const first = chain.findIndex(isNew);
    if (first < 0 || first === chain.length - 1) return; // an end alone says nothing of a kind of prompts
    if (!this.answers.ended(this.keyOf(chain[first]!), answerTokens)) {
      for (const block of chain) if (isNew(block)) this.settled.add(this.keyOf(block));
      return;
    }
    for (let index = chain.length - 1; index >= first; index--) {
      const key = this.keyOf(chain[index]!);
      if (this.branches.hasSeveral(key) || !isNew(chain[index]!)) return;
      this.order.setUsedOnce(key, SELDOM_LEVEL, this.clock);
    }
  }

  private use(block: Block, earlierUses = 0): void {
    const key = this.keyOf(block);
    this.answers.used(key);
    const level = this.order.levelOf(key);
    if (level === END_LEVEL || level === 1) this.ends.cameBack(level === END_LEVEL);
    this.blocks.set(key, block);
    this.order.use(key, ++this.clock, earlierUses);
    const sampling = this.sampling();
    if (hashOf(key) % sampling === 0) this.compete(key, sampling, earlierUses);
  }

  /** The shadows follow one key in so many: a power of two, so that a sparser sample is a part of a denser one. */
  private sampling(): number {
    const most = Math.max(1, this.order.size / SHADOW_KEYS);
    return Math.min(MOST_SPARSE, 2 ** Math.floor(Math.log2(most)));
  }

  private compete(key: Key, sampling: number, earlierUses: number): void {
    const { size } = this.order;
    const room = Math.max(1, Math.floor(size / sampling));
    for (const shadow of this.shadows) shadow.use(key, this.clock, room, shadow.creditPerBlock * size, earlierUses);
    const current = this.shadows.find(({ creditPerBlock }) => creditPerBlock === this.creditPerBlock)!; // it is one of theirs
    const best = this.shadows.reduce((one, other) => (other.hits > one.hits ? other : one));
    if (best.hits > CLEARLY_BETTER * current.hits + CLEARLY_MORE_HITS) this.creditPerBlock = best.creditPerBlock;
    if (this.clock < this.nextHalving) return;
    this.nextHalving = this.clock + HALF_LIFE_FILLS * size;
    for (const shadow of this.shadows) shadow.hits /= 2;
    this.ends.halve();
    this.answers.halve();
  }
}

/** How many earlier requests had the block. @param earlierUses  as in `KeptRequest` */
function usesAt(index: number, earlierUses: readonly number[]): number {
  return earlierUses.filter((blocks) => blocks > index).length;
}

/** The same for equal keys, always (FNV-1a over the last characters, which differ most). */
function hashOf(key: string | number): number {
  const text = String(key);
  let hash = 0x811c9dc5;
  for (let index = Math.max(0, text.length - 8); index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
