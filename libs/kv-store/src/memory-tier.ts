import { createEviction, type EvictionPolicy } from '#lib/kv';
import { BlockTier, type TierBlock } from './block-tier.js';
import { PAGE_BYTES, PageArena, type PageChain } from './page-arena.js';

export interface MemoryTierOptions {
  /** Most memory for blocks, in bytes: they lie in whole pages of 16 KiB. What is beside them is less than a page for each. */
  readonly bytes: number;
  /** Which blocks go first. Default: those used the longest ago. */
  readonly policy?: EvictionPolicy<HeldBlock>;
  /** Called with each block that comes or goes. */
  readonly onChange?: (change: MemoryChange) => void;
}

/** A block that memory holds from now on, or holds no longer; keys as in `TierBlock`. */
export type MemoryChange =
  | { readonly kind: 'stored'; readonly key: string; readonly parentKey: string | undefined }
  | { readonly kind: 'removed'; readonly key: string };

/** A block in memory, to eviction policies. */
export interface HeldBlock {
  readonly key: string;
}

class Held implements HeldBlock {
  /** Its children that are held, and whoever works on it: it stays for as long as there is one. */
  references = 0;

  constructor(
    readonly key: string,
    readonly parent: Held | undefined,
    readonly pages: PageChain,
    readonly byteLength: number,
  ) {}
}

/** Blocks in the memory of this process. One goes only when none that is held is behind it: chains go from their ends. */
export class MemoryTier extends BlockTier {
  override readonly name = 'memory';
  /** Blocks that had to go for others so far. */
  evictedBlocks = 0;
  private readonly blocks = new Map<string, Held>();
  private readonly arena: PageArena;
  private readonly policy: EvictionPolicy<HeldBlock>;
  private readonly onChange: (change: MemoryChange) => void;

  constructor({ bytes, policy, onChange }: MemoryTierOptions) {
    super();
    this.arena = new PageArena(bytes);
    this.policy = policy ?? createEviction('lru', ({ key }) => key);
    this.onChange = onChange ?? (() => {});
  }

  get heldBlocks(): number {
    return this.blocks.size;
  }

  /** With what is left over in their last pages. */
  get heldBytes(): number {
    return (this.arena.pageCount - this.arena.freePages) * PAGE_BYTES;
  }

  get capacityBytes(): number {
    return this.arena.pageCount * PAGE_BYTES;
  }

  override async has(keys: readonly string[]): Promise<number> {
    return this.chainOf(keys).length;
  }

  override async read(keys: readonly string[]): Promise<readonly Buffer[]> {
    return this.chainOf(keys).map(({ pages, byteLength }) => this.arena.load(pages, byteLength));
  }

  override async write(blocks: readonly TierBlock[]): Promise<number> {
    const chain: Held[] = [];
    for (const block of blocks) {
      const held = this.blocks.get(block.key) ?? this.store(block);
      if (held === undefined) break;
      held.references++; // it does not go for one behind it
      chain.push(held);
    }
    for (const held of chain) held.references--;
    this.policy.kept(chain);
    return chain.length;
  }

  override async touch(keys: readonly string[]): Promise<void> {
    this.policy.found(keys.flatMap((key) => this.blocks.get(key) ?? []));
  }

  override async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const held = this.blocks.get(key);
      if (held !== undefined) this.drop(held);
    }
  }

  override async close(): Promise<void> {}

  private chainOf(keys: readonly string[]): Held[] {
    const chain: Held[] = [];
    for (const key of keys) {
      const held = this.blocks.get(key);
      if (held === undefined) break;
      chain.push(held);
    }
    return chain;
  }

  private store({ key, parentKey, bytes }: TierBlock): Held | undefined {
    const parent = parentKey === undefined ? undefined : this.blocks.get(parentKey);
    if (parent !== undefined) parent.references++;
    const hasRoom = this.makeRoom(PageArena.pagesOf(bytes.length));
    const pages = hasRoom ? this.arena.store(bytes) : undefined;
    if (pages === undefined) {
      if (parent !== undefined) parent.references--;
      return undefined;
    }
    const held = new Held(key, parent, pages, bytes.length);
    this.blocks.set(key, held);
    this.policy.kept([held]);
    this.onChange({ kind: 'stored', key, parentKey });
    return held;
  }

  private makeRoom(pages: number): boolean {
    if (pages > this.arena.pageCount) return false;
    while (this.arena.freePages < pages) {
      const victim = this.victim();
      if (victim === undefined) return false;
      this.drop(victim);
      this.evictedBlocks++;
    }
    return true;
  }

  private victim(): Held | undefined {
    for (const { key } of this.policy.inOrder()) {
      const held = this.blocks.get(key);
      if (held?.references === 0) return held;
    }
    return undefined;
  }

  private drop(held: Held): void {
    this.blocks.delete(held.key);
    this.arena.free(held.pages);
    if (held.parent !== undefined) held.parent.references--;
    this.policy.forget(held);
    this.onChange({ kind: 'removed', key: held.key });
  }
}
