import { type CachedBlock, type EvictionPolicy, PrefixIndex } from '#lib/kv';
import { BlockHashes } from './block-hashes.js';
import type { BlockMemory } from './block-memory.js';
import type { PrefixChange } from './prefix-change.js';
import type { StoredBlock } from './stored-block.js';

export interface PrefixStoreOptions {
  readonly memory: BlockMemory;
  /** Of the model whose KV it is, as in `ServedModel`. */
  readonly modelFingerprint: string;
  /** Default: the least recently used block goes. */
  readonly policy?: EvictionPolicy<CachedBlock>;
  readonly onChange: (change: PrefixChange) => void;
}

/** A run of tokens in a slot, and the hashes of those of its blocks that are to be kept. */
export interface KeptPrefix {
  readonly slot: number;
  readonly tokenIds: readonly number[];
  readonly hashes: readonly string[];
  /** As in `EvictionPolicy.kept`. */
  readonly answerTokens?: number | undefined;
}

/** Blocks of a chain that came from elsewhere. */
export interface GivenBlocks {
  readonly tokenIds: readonly number[];
  /** Of the chain up to the last one that is given. */
  readonly hashes: readonly string[];
  /** Number of the first one that is given. */
  readonly firstBlock: number;
  readonly data: readonly Uint8Array[];
}

/**
 * Computed prefixes, block by block, beside the slots: copied from a slot to be kept, and back into one whose prompt begins
 * with them. What is kept is memory that nobody needs now: whoever does has it by `shrinkTo`.
 */
export class PrefixStore {
  /** Blocks that had to go so far. */
  evictedBlocks = 0;
  private readonly index: PrefixIndex;

  constructor(private readonly options: PrefixStoreOptions) {
    const { memory, policy } = options;
    this.index = new PrefixIndex({ blockTokens: memory.blockTokens, places: memory.places, policy });
  }

  get blockTokens(): number {
    return this.options.memory.blockTokens;
  }

  /** What a block takes of the memory, in tokens. */
  get placeTokens(): number {
    return this.options.memory.placeTokens;
  }

  /** Memory that its blocks take, in tokens. */
  get heldTokens(): number {
    return this.index.size * this.placeTokens;
  }

  /** @param salt  only equal salts share a prefix */
  hashesFor(salt: Uint8Array): BlockHashes {
    return new BlockHashes(
      { modelFingerprint: this.options.modelFingerprint, adapterVersion: '', salt },
      this.blockTokens,
    );
  }

  /** Leading blocks that are held, by their names alone; they do not count as used. */
  heldBlocks(hashes: readonly string[]): number {
    return this.index.heldBlocks(hashes);
  }

  /** The longest run of leading blocks that is held; it is used now, so others make room first. */
  match(hashes: readonly string[], tokenIds: readonly number[]): readonly CachedBlock[] {
    return this.index.match(hashes, tokenIds);
  }

  /**
   * Copies a chain, as far as it is held still, to the beginning of a slot.
   * @returns tokens that the slot holds now
   */
  restore(chain: readonly CachedBlock[], slot: number): number {
    const places = this.index.stillHeld(chain).map(({ place }) => place);
    if (places.length > 0) this.options.memory.load(places, slot);
    return places.length * this.blockTokens;
  }

  /**
   * Copies those blocks of a slot that are not held, as far as there is room.
   * @param roomTokens  memory that the store may take in all
   */
  keep({ slot, tokenIds, hashes, answerTokens }: KeptPrefix, roomTokens: number): void {
    const save = (firstBlock: number, places: readonly number[]) => this.options.memory.save(slot, firstBlock, places);
    this.fill(hashes, tokenIds, roomTokens, save, answerTokens);
  }

  /** Blocks by their names, as others can have them, up to the first that is not held; none where blocks stay where they are. */
  read(hashes: readonly string[]): readonly StoredBlock[] {
    const { exchange } = this.options.memory;
    if (exchange === undefined) return [];
    return this.index.named(hashes).map(({ hash, parent, tokenIds, place }) => ({
      hash,
      parentHash: parent?.hash,
      tokenIds,
      data: exchange.read(place),
    }));
  }

  /**
   * Keeps blocks that were computed elsewhere, as far as there is room, where those before them are held still.
   * @param roomTokens  memory that the store may take in all
   * @returns blocks of the chain that are held now
   */
  write({ tokenIds, hashes, firstBlock, data }: GivenBlocks, roomTokens: number): number {
    const { exchange } = this.options.memory;
    const heldBlocks = this.index.match(hashes, tokenIds).length;
    if (exchange === undefined || heldBlocks < firstBlock) return heldBlocks;
    return this.fill(hashes, tokenIds, roomTokens, (first, places) => {
      for (const [index, place] of places.entries()) exchange.write(place, data[first - firstBlock + index]!);
    });
  }

  /** Gives memory back until it takes at most `tokens`. */
  shrinkTo(tokens: number): void {
    const removed = this.index.shrinkTo(this.blocksIn(tokens));
    this.noteRemoved(removed, removed);
  }

  /**
   * Adds those blocks of a chain that are not held, as far as there is room.
   * @param write  puts what belongs there into the places of the new blocks, of which the first has this number in the chain
   * @returns blocks of the chain that are held now
   */
  private fill(
    hashes: readonly string[],
    tokenIds: readonly number[],
    roomTokens: number,
    write: (firstBlock: number, places: readonly number[]) => void,
    answerTokens?: number,
  ): number {
    const { knownBlocks, added, removed } = this.index.add(hashes, tokenIds, this.blocksIn(roomTokens), answerTokens);
    // a place that was emptied for a block of this very chain is written at once and need not be given back
    const filled = new Set(added.map(({ place }) => place));
    this.noteRemoved(
      removed,
      removed.filter(({ place }) => !filled.has(place)),
    );
    if (added.length === 0) return knownBlocks;
    write(
      knownBlocks,
      added.map(({ place }) => place),
    );
    const parentHash = hashes[knownBlocks - 1];
    this.options.onChange({ kind: 'stored', parentHash, hashes: added.map(({ hash }) => hash) });
    return knownBlocks + added.length;
  }

  private noteRemoved(removed: readonly CachedBlock[], released: readonly CachedBlock[]): void {
    if (removed.length === 0) return;
    this.evictedBlocks += removed.length;
    if (released.length > 0) this.options.memory.release(released.map(({ place }) => place));
    this.options.onChange({ kind: 'removed', hashes: removed.map(({ hash }) => hash) });
  }

  private blocksIn(tokens: number): number {
    return Math.floor(tokens / this.placeTokens);
  }
}
