import type { CachedBlock } from './cached-block.js';
import type { EvictionPolicy, KeptRequest } from './eviction/eviction-policy.js';
import { LeastRecentlyUsed } from './eviction/least-recently-used.js';

export interface PrefixIndexOptions {
  readonly blockTokens: number;
  /** Places for blocks. */
  readonly places: number;
  /** Default: the least recently used block goes. */
  readonly policy?: EvictionPolicy<CachedBlock>;
}

export interface AddedBlocks {
  /** Leading blocks that were held already. */
  readonly knownBlocks: number;
  /** Those that were not held, each the child of the one before; their places are to be filled. */
  readonly added: readonly CachedBlock[];
  /** Those that went for them; their places may be in use again. */
  readonly removed: readonly CachedBlock[];
}

class Block implements CachedBlock {
  /** Its children, and whoever is adding some to it: it stays for as long as there is one. */
  references = 0;

  constructor(
    readonly hash: string,
    readonly parent: Block | undefined,
    readonly tokenIds: readonly number[],
    readonly place: number,
  ) {}

  isOf(tokenIds: ArrayLike<number>, from: number): boolean {
    return this.tokenIds.every((tokenId, index) => tokenIds[from + index] === tokenId);
  }
}

/**
 * Which prefixes are held: blocks by their chained hash, each with its parent, so that a prompt is followed block by block
 * until one is missing. A hash alone is not trusted: tokens and parent must be the same, too. No more blocks are held than
 * there are places, each in its own; a block goes only when nothing refers to it, so from the ends of chains.
 * @see Zheng et al. 2023, SGLang, arXiv:2312.07104 (prefixes as a tree, least recently used leaves go first)
 */
export class PrefixIndex {
  private readonly blocks = new Map<string, Block>();
  private readonly freePlaces: number[] = [];
  private usedPlaces = 0;
  private readonly policy: EvictionPolicy<CachedBlock>;

  constructor(private readonly options: PrefixIndexOptions) {
    this.policy = options.policy ?? new LeastRecentlyUsed();
  }

  /** Blocks that are held. */
  get size(): number {
    return this.blocks.size;
  }

  /** Every block after its parent. */
  all(): Iterable<CachedBlock> {
    return this.blocks.values(); // in order of insertion, and a parent stays for as long as its children
  }

  /**
   * The longest run of leading blocks that is held. It counts as used.
   * @param hashes    of the blocks that are looked for, first block first
   * @param tokenIds  shape [at least hashes.length · blockTokens]
   */
  match(hashes: readonly string[], tokenIds: ArrayLike<number>): readonly CachedBlock[] {
    const chain = this.find(hashes, tokenIds);
    this.policy.found(chain);
    return chain;
  }

  /** Leading blocks that are held, by their names alone. They do not count as used, and nothing is to be restored by it. */
  heldBlocks(hashes: readonly string[]): number {
    const missing = hashes.findIndex((hash) => !this.blocks.has(hash));
    return missing < 0 ? hashes.length : missing;
  }

  /** The longest run of these blocks that is held, by their names alone; the first may be of anywhere in a chain. They do not count as used. */
  named(hashes: readonly string[]): readonly CachedBlock[] {
    const run: Block[] = [];
    for (const hash of hashes) {
      const block = this.blocks.get(hash);
      if (block === undefined || (run.length > 0 && block.parent !== run.at(-1))) break;
      run.push(block);
    }
    return run;
  }

  /**
   * Adds those of a chain's blocks that are not held, in order, for as long as there is room: free places, or others that
   * may go. The whole chain counts as used.
   * @param mostBlocks  that may be held after it
   */
  add(hashes: readonly string[], tokenIds: ArrayLike<number>, mostBlocks: number, request?: KeptRequest): AddedBlocks {
    const chain = this.find(hashes, tokenIds);
    this.policy.kept(chain); // it will not be in the way when others are looked for that may go
    const knownBlocks = chain.length;
    const removed: CachedBlock[] = [];
    const most = Math.min(mostBlocks, this.options.places);
    for (const block of chain) block.references++;
    for (const hash of hashes.slice(knownBlocks)) {
      if (this.blocks.has(hash)) break; // of other tokens: what is here stays, and nothing is put behind it
      removed.push(...this.evictDownTo(most - 1));
      if (this.blocks.size >= most) break;
      const block = this.insert(hash, chain.at(-1), tokenIds, chain.length);
      block.references++;
      chain.push(block);
    }
    for (const block of chain) block.references--;
    this.policy.kept(chain, request);
    return { knownBlocks, added: chain.slice(knownBlocks), removed };
  }

  /** Lets blocks go until at most `mostBlocks` are left. @returns those that went */
  shrinkTo(mostBlocks: number): readonly CachedBlock[] {
    return this.evictDownTo(Math.max(0, mostBlocks));
  }

  /** Those of a chain that have not gone meanwhile: its leading ones, since the last go first. */
  stillHeld(chain: readonly CachedBlock[]): readonly CachedBlock[] {
    return chain.filter((block) => this.blocks.get(block.hash) === block);
  }

  private find(hashes: readonly string[], tokenIds: ArrayLike<number>): Block[] {
    const chain: Block[] = [];
    for (const hash of hashes) {
      const block = this.blocks.get(hash);
      if (block === undefined || block.parent !== chain.at(-1)) break;
      if (!block.isOf(tokenIds, chain.length * this.options.blockTokens)) break;
      chain.push(block);
    }
    return chain;
  }

  private insert(hash: string, parent: Block | undefined, tokenIds: ArrayLike<number>, index: number): Block {
    const { blockTokens } = this.options;
    const own = Array.prototype.slice.call(tokenIds, index * blockTokens, (index + 1) * blockTokens) as number[];
    const block = new Block(hash, parent, own, this.freePlaces.pop() ?? this.usedPlaces++);
    if (parent !== undefined) parent.references++;
    this.blocks.set(hash, block);
    return block;
  }

  private evictDownTo(mostBlocks: number): CachedBlock[] {
    const removed: CachedBlock[] = [];
    while (this.blocks.size > mostBlocks) {
      const victim = this.victim();
      if (victim === undefined) break;
      this.remove(victim);
      removed.push(victim);
    }
    return removed;
  }

  private victim(): Block | undefined {
    for (const { hash } of this.policy.inOrder()) {
      const block = this.blocks.get(hash);
      if (block?.references === 0) return block;
    }
    return undefined;
  }

  private remove(block: Block): void {
    this.blocks.delete(block.hash);
    this.freePlaces.push(block.place);
    if (block.parent !== undefined) block.parent.references--;
    this.policy.forget(block);
  }
}
