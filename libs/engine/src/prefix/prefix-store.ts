import { type CachedBlock, type EvictionPolicy, type KeptRequest, PrefixIndex } from '#lib/kv';
import { BlockHashes } from './block-hashes.js';
import type { BlockMemory } from './block-memory.js';
import type { PrefixChange } from './prefix-change.js';
import type { PromptEndMemory } from './prompt-end-memory.js';
import { type PromptEnd, PromptEnds } from './prompt-ends.js';
import type { StoredBlock } from './stored-block.js';

export interface PrefixStoreOptions {
  readonly memory: BlockMemory;
  /** Default: ends of prompts are not kept. */
  readonly endMemory?: PromptEndMemory | undefined;
  /** Of the model whose KV it is, as in `ServedModel`. */
  readonly modelFingerprint: string;
  /** Default: the least recently used block goes. */
  readonly policy?: EvictionPolicy<CachedBlock>;
  readonly onChange: (change: PrefixChange) => void;
}

/** Whose prefixes they are. */
export interface PrefixOwner {
  readonly adapterVersion: string;
  readonly request: { readonly cacheSalt: Uint8Array };
}

/** A run of tokens in a slot, and the hashes of those of its blocks that are to be kept. */
export interface KeptPrefix {
  readonly slot: number;
  readonly tokenIds: readonly number[];
  readonly hashes: readonly string[];
  readonly request?: KeptRequest;
}

/** A whole prompt in a slot, and the logits of its last token, shape [vocabularySize]. */
export interface KeptEnd {
  readonly slot: number;
  readonly name: string;
  readonly tokenIds: readonly number[];
  readonly logits: Float32Array;
}

/**
 * Most of the room that ends of prompts take. Chosen: blocks serve every prompt that begins alike, an end the same prompt alone; where
 * none comes again, blocks miss little of it.
 */
const END_SHARE = 1 / 16;

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
  private readonly ends: PromptEnds | undefined;

  constructor(private readonly options: PrefixStoreOptions) {
    const { memory, endMemory, policy } = options;
    this.index = new PrefixIndex({ blockTokens: memory.blockTokens, places: memory.places, policy });
    this.ends = endMemory && new PromptEnds(endMemory, memory.blockTokens);
  }

  get blockTokens(): number {
    return this.options.memory.blockTokens;
  }

  /** What a block takes of the memory, in tokens. */
  get placeTokens(): number {
    return this.options.memory.placeTokens;
  }

  /** Memory that its blocks and the ends of prompts take, in tokens. */
  get heldTokens(): number {
    return this.index.size * this.placeTokens + this.endsTokens;
  }

  /** Only equal salts, and the same version of an adapter or none, share a prefix. */
  hashesFor({ adapterVersion, request }: PrefixOwner): BlockHashes {
    const { modelFingerprint } = this.options;
    return new BlockHashes({ modelFingerprint, adapterVersion, salt: request.cacheSalt }, this.blockTokens);
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
  keep({ slot, tokenIds, hashes, request }: KeptPrefix, roomTokens: number): void {
    const save = (firstBlock: number, places: readonly number[]) => this.options.memory.save(slot, firstBlock, places);
    this.fill(hashes, tokenIds, roomTokens, save, request);
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

  /** The end of a prompt, if it is held; it is used now. Its blocks may have gone. */
  findEnd(name: string, promptTokenIds: readonly number[]): PromptEnd | undefined {
    return this.ends?.find(name, promptTokenIds);
  }

  /** Copies an end behind the blocks of its prompt, which the slot holds. @returns the logits of its last token, unless it has gone meanwhile */
  restoreEnd(name: string, end: PromptEnd, slot: number): Float32Array | undefined {
    return this.ends?.load(name, end, slot);
  }

  /** What keeping the end of such a prompt takes, in tokens; 0 where ends are not kept. */
  endTokens(promptTokens: number): number {
    return this.ends?.takenTokens(promptTokens) ?? 0;
  }

  /**
   * Copies the end of a prompt, unless it is held, as far as ends have room.
   * @param roomTokens  memory that the store may take in all
   */
  keepEnd({ slot, name, tokenIds, logits }: KeptEnd, roomTokens: number): void {
    if (this.ends === undefined || this.ends.find(name, tokenIds) !== undefined) return;
    const takenTokens = this.ends.takenTokens(tokenIds.length);
    const mostTokens = Math.floor(roomTokens * END_SHARE) - takenTokens;
    if (mostTokens < 0) return;
    this.ends.shrinkTo(mostTokens);
    this.shrinkBlocksTo(roomTokens - this.ends.heldTokens - takenTokens);
    this.ends.save(name, tokenIds, slot, logits);
  }

  /** Gives memory back until it takes at most `tokens`: ends of prompts first. */
  shrinkTo(tokens: number): void {
    this.ends?.shrinkTo(tokens - this.index.size * this.placeTokens);
    this.shrinkBlocksTo(tokens - this.endsTokens);
  }

  private get endsTokens(): number {
    return this.ends?.heldTokens ?? 0;
  }

  private shrinkBlocksTo(tokens: number): void {
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
    request?: KeptRequest,
  ): number {
    this.ends?.shrinkTo(Math.floor(roomTokens * END_SHARE));
    const mostBlocks = this.blocksIn(roomTokens - this.endsTokens);
    const { knownBlocks, added, removed } = this.index.add(hashes, tokenIds, mostBlocks, request);
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
