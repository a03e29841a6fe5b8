import { untilAborted } from '#lib/channels';
import { KvBlock, type KvLayout, type PutKvBlocksResponse } from '#lib/contracts';
import {
  faultOfOffered,
  isSameLayout,
  type KvBlockFault,
  type KvBlockSink,
  type KvBlockSource,
} from '#lib/kv-transfer';
import { BlockKeys } from './block-key.js';
import { type BlockTier, type TierBlock, TierUnavailableError } from './block-tier.js';
import type { WriteBehind } from './write-behind.js';

/** Read at once from the tier behind, in bytes. Chosen: few trips, and little in memory for each reader. */
const READ_AHEAD_BYTES = 4 * 1024 * 1024;
const READ_AHEAD_BLOCKS = 16;

export type TierOperation = 'has' | 'read' | 'write' | 'touch' | 'remove';

/** Why a block that was offered is not taken; `parent`: the one before it was not. */
export type PutRefusal = KvBlockFault | 'too-large' | 'no-room' | 'parent';

/** What the store tells of itself. */
export interface StoreObserver {
  /** Blocks were asked for, and so many found in each tier. */
  found(byTier: ReadonlyMap<string, number>, asked: number): void;
  stored(): void;
  refused(reason: PutRefusal): void;
  /** A tier gave back something else than what was stored; it has been removed. */
  damaged(tier: string): void;
  called(
    tier: string,
    operation: TierOperation,
    ms: number,
    outcome: 'answered' | TierUnavailableError['reason'],
  ): void;
}

export interface KvBlockStoreOptions {
  readonly memory: BlockTier;
  /** What is shared with other processes, and written behind. */
  readonly behind?: { readonly tier: BlockTier; readonly writes: WriteBehind };
  /** Most bytes of keys and values of one block. */
  readonly maxBlockBytes: number;
  readonly observer: StoreObserver;
}

/**
 * Blocks in memory, and behind them, where it is, a tier that others share. What is found behind is put into memory, too. A tier that is not
 * available costs what it would have had; this is where it is decided. What comes in and what goes out is checked: layout, name,
 * tokens as far as the name can be computed, and checksum. A damaged block is removed and counts as missing.
 */
export class KvBlockStore implements KvBlockSource, KvBlockSink {
  constructor(private readonly options: KvBlockStoreOptions) {}

  async has(layout: KvLayout, blockHashes: readonly Uint8Array[], signal: AbortSignal): Promise<number> {
    const { memory, behind } = this.options;
    const keys = keysOf(layout, blockHashes);
    const inMemory = await this.ask(memory, 'has', 0, (tier) => tier.has(keys, signal));
    if (behind === undefined || inMemory === keys.length) return inMemory;
    return inMemory + (await this.ask(behind.tier, 'has', 0, (tier) => tier.has(keys.slice(inMemory), signal)));
  }

  async *read(
    layout: KvLayout,
    blockHashes: readonly Uint8Array[],
    signal: AbortSignal,
  ): AsyncGenerator<KvBlock, void, void> {
    const { memory, behind, observer } = this.options;
    const keys = keysOf(layout, blockHashes);
    const found = new Map<string, number>();
    let next = 0;
    try {
      for (let count = 1; next < keys.length; ) {
        const { tier, values } = await this.readSome(keys.slice(next, next + count), signal);
        let blockBytes = 1;
        for (const value of values) {
          const block = soundBlock(value, layout, blockHashes[next]!); // no more values than keys
          if (block === undefined) return await this.dropDamaged(tier, keys[next]!, signal);
          if (tier !== memory) await this.promote(layout, keys[next]!, block, value, signal);
          yield block;
          found.set(tier.name, (found.get(tier.name) ?? 0) + 1);
          blockBytes = value.length;
          next++;
        }
        if (values.length === 0) return;
        count = Math.max(1, Math.min(READ_AHEAD_BLOCKS, Math.floor(READ_AHEAD_BYTES / blockBytes)));
      }
    } finally {
      observer.found(found, keys.length);
      const used = keys.slice(0, next);
      if (used.length > 0) {
        await this.ask(memory, 'touch', undefined, (tier) => tier.touch(used, signal));
        if (behind !== undefined) void this.ask(behind.tier, 'touch', undefined, (tier) => tier.touch(used, NEVER));
      }
    }
  }

  async put(blocks: AsyncIterable<KvBlock>, signal: AbortSignal): Promise<PutKvBlocksResponse> {
    const { memory, behind, observer } = this.options;
    const refused = new Set<string>();
    const chain: string[] = [];
    let refusedBlocks = 0;
    for await (const block of takenUntilAborted(blocks, signal)) {
      const offered = tierBlock(block);
      const reason = await this.store(block, offered, refused, signal);
      if (reason === undefined) {
        observer.stored();
        behind?.writes.offer(offered);
        chain.push(offered.key);
      } else {
        observer.refused(reason);
        refused.add(offered.key);
        refusedBlocks++;
      }
    }
    await this.ask(memory, 'touch', undefined, (tier) => tier.touch(chain, signal));
    return { storedBlocks: chain.length, refusedBlocks };
  }

  private async store(
    block: KvBlock,
    offered: TierBlock,
    refused: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<PutRefusal | undefined> {
    if (block.data.length > this.options.maxBlockBytes) return 'too-large';
    const fault = faultOfOffered(block);
    if (fault !== undefined) return fault;
    if (offered.parentKey !== undefined && refused.has(offered.parentKey)) return 'parent';
    const written = await this.ask(this.options.memory, 'write', 0, (tier) => tier.write([offered], signal));
    return written === 1 ? undefined : 'no-room';
  }

  /** The leading ones of these that one tier has: memory first. */
  private async readSome(keys: readonly string[], signal: AbortSignal) {
    const { memory, behind } = this.options;
    const values = await this.ask(memory, 'read', [], (tier) => tier.read(keys, signal));
    if (values.length > 0 || behind === undefined) return { tier: memory, values };
    return { tier: behind.tier, values: await this.ask(behind.tier, 'read', [], (tier) => tier.read(keys, signal)) };
  }

  private async promote(layout: KvLayout, key: string, { parentHash }: KvBlock, bytes: Buffer, signal: AbortSignal) {
    const parentKey = parentHash.length === 0 ? undefined : new BlockKeys(layout).of(parentHash);
    await this.ask(this.options.memory, 'write', 0, (tier) => tier.write([{ key, parentKey, bytes }], signal));
  }

  private async dropDamaged(tier: BlockTier, key: string, signal: AbortSignal): Promise<void> {
    this.options.observer.damaged(tier.name);
    await this.ask(tier, 'remove', undefined, () => tier.remove([key], signal));
  }

  /** @param otherwise  what counts while the tier is not available */
  private async ask<Answer>(
    tier: BlockTier,
    operation: TierOperation,
    otherwise: Answer,
    call: (tier: BlockTier) => Promise<Answer>,
  ): Promise<Answer> {
    const { observer } = this.options;
    const startMs = performance.now();
    try {
      const answer = await call(tier);
      observer.called(tier.name, operation, performance.now() - startMs, 'answered');
      return answer;
    } catch (error) {
      if (!(error instanceof TierUnavailableError)) throw error;
      observer.called(tier.name, operation, performance.now() - startMs, error.reason);
      return otherwise;
    }
  }
}

/** For what is done behind the caller's back. */
const NEVER = new AbortController().signal;

function keysOf(layout: KvLayout, blockHashes: readonly Uint8Array[]): string[] {
  const keys = new BlockKeys(layout);
  return blockHashes.map((blockHash) => keys.of(blockHash));
}

/** Of a block that may not be sound: then its key names nothing that anybody asks for. */
function tierBlock(block: KvBlock): TierBlock {
  const keys = new BlockKeys(block.layout ?? NO_LAYOUT);
  const parentKey = block.parentHash.length === 0 ? undefined : keys.of(block.parentHash);
  return { key: keys.of(block.blockHash), parentKey, bytes: KvBlock.encode(block).finish() };
}

const NO_LAYOUT = KvBlock.fromPartial({ layout: {} }).layout!;

function soundBlock(value: Buffer, layout: KvLayout, blockHash: Uint8Array): KvBlock | undefined {
  try {
    const block = KvBlock.decode(value);
    const isWanted = isSameLayout(block.layout, layout) && Buffer.compare(block.blockHash, blockHash) === 0;
    return isWanted && faultOfOffered(block) === undefined ? block : undefined;
  } catch {
    return undefined; // bytes that are no message: damaged like any other
  }
}

/** The values, for as long as nobody says otherwise: a sender that stops sending holds nothing up for ever. */
async function* takenUntilAborted<Value>(values: AsyncIterable<Value>, signal: AbortSignal): AsyncGenerator<Value> {
  const iterator = values[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await untilAborted(iterator.next(), signal);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    void iterator.return?.()?.catch(() => {}); // a stream that is read no further
  }
}
