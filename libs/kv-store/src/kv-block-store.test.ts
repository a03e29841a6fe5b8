import { describe, expect, it, vi } from 'vitest';
import type { KvBlock } from '#lib/contracts';
import { crc32c } from '#lib/kv';
import { blocksOf, TEST_LAYOUT } from '../../kv-transfer/testing/kv-blocks.js';
import { TierUnavailableError } from './block-tier.js';
import { KvBlockStore } from './kv-block-store.js';
import { MemoryTier } from './memory-tier.js';
import { WriteBehind } from './write-behind.js';

const never = new AbortController().signal;
const PROMPT = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const CHAIN = blocksOf(PROMPT);
const HASHES = CHAIN.map(({ blockHash }) => blockHash);

/** A second tier that can be away, or damage what it gives. */
class OtherTier extends MemoryTier {
  isAway = false;
  damage: (bytes: Buffer) => void = () => {};

  override async has(...[keys]: Parameters<MemoryTier['has']>): Promise<number> {
    this.failIfAway();
    return super.has(keys);
  }

  override async read(...[keys]: Parameters<MemoryTier['read']>): Promise<readonly Buffer[]> {
    this.failIfAway();
    const values = await super.read(keys);
    for (const value of values) this.damage(value);
    return values;
  }

  override async write(...[blocks]: Parameters<MemoryTier['write']>): Promise<number> {
    this.failIfAway();
    return super.write(blocks);
  }

  private failIfAway(): void {
    if (this.isAway) throw new TierUnavailableError('away');
  }
}

function storeOf({ memoryPages = 64, hasBehind = false, maxBlockBytes = 1_000 } = {}) {
  const observer = { found: vi.fn(), stored: vi.fn(), refused: vi.fn(), damaged: vi.fn(), called: vi.fn() };
  const tier = new OtherTier({ bytes: 64 * 16_384 });
  Object.defineProperty(tier, 'name', { value: 'other' });
  const writes = new WriteBehind(tier, { mostBytes: 1_000_000, onDropped: () => {} });
  const restarted = () => {
    const memory = new MemoryTier({ bytes: memoryPages * 16_384 });
    const behind = hasBehind ? { tier, writes } : undefined;
    return { memory, store: new KvBlockStore({ memory, behind, maxBlockBytes, observer }) };
  };
  return { ...restarted(), observer, tier, writes, restarted };
}

async function* streamOf(blocks: readonly KvBlock[]): AsyncGenerator<KvBlock> {
  yield* blocks;
}

async function readAll(store: KvBlockStore, hashes = HASHES, layout = TEST_LAYOUT): Promise<KvBlock[]> {
  const blocks: KvBlock[] = [];
  for await (const block of store.read(layout, hashes, never)) blocks.push(block);
  return blocks;
}

const foundBy = (observer: ReturnType<typeof storeOf>['observer']) =>
  observer.found.mock.lastCall?.map((value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value));

describe('a store of KV blocks', () => {
  it('given a chain that was put, then it is held, and read as it was', async () => {
    const { store, observer } = storeOf();
    expect(await store.put(streamOf(CHAIN), never)).toEqual({ storedBlocks: 5, refusedBlocks: 0 });
    expect(await store.has(TEST_LAYOUT, HASHES, never)).toBe(5);
    expect(await readAll(store)).toEqual(CHAIN);
    expect(foundBy(observer)).toEqual([{ memory: 5 }, 5]);
    expect(observer.stored).toHaveBeenCalledTimes(5);
  });

  it('given another layout or another salt, then nothing is found', async () => {
    const { store } = storeOf();
    await store.put(streamOf(CHAIN), never);
    for (const layout of [
      { ...TEST_LAYOUT, dtype: 'fp16' },
      { ...TEST_LAYOUT, tensorParallelRank: 1 },
    ]) {
      expect(await store.has(layout, HASHES, never)).toBe(0);
      expect(await readAll(store, HASHES, layout)).toEqual([]);
    }
    const ofOthers = blocksOf(PROMPT, 'another tenant').map(({ blockHash }) => blockHash);
    expect(await store.has(TEST_LAYOUT, ofOthers, never)).toBe(0);
  });

  it.each<[string, Partial<KvBlock>]>([
    ['checksum', { data: Buffer.alloc(24, 1) }],
    ['checksum', { crc32c: 0 }],
    ['tokens', { tokenIds: [3] }],
    ['tokens', { tokenIds: [3, 5] }],
    ['tokens', { parentHash: Buffer.alloc(16, 9) }],
    ['hash', { blockHash: Buffer.alloc(15) }],
    ['hash', { parentHash: Buffer.alloc(3) }],
    ['layout', { layout: undefined }],
    ['layout', { layout: { ...TEST_LAYOUT, blockTokens: 0 } }],
    ['layout', { data: Buffer.alloc(0) }],
    ['too-large', { data: Buffer.alloc(1_001), crc32c: crc32c(Buffer.alloc(1_001)) }],
  ])(
    'given a block with a wrong %s (%o), then it and what is behind it are refused, and the stream is read on',
    async (reason, wrong) => {
      const { store, observer } = storeOf();
      const [first, second, ...rest] = CHAIN as [KvBlock, KvBlock, ...KvBlock[]];
      const offered = [first, { ...second, ...wrong }, ...rest];
      const { storedBlocks, refusedBlocks } = await store.put(streamOf(offered), never);
      expect(observer.refused.mock.calls[0]).toEqual([reason]);
      expect(storedBlocks + refusedBlocks).toBe(5);
      expect(await readAll(store)).toEqual([first]);
    },
  );

  it('given more than there is room for, then the beginning of the chain is kept and the rest refused', async () => {
    const { store, observer } = storeOf({ memoryPages: 3 });
    expect(await store.put(streamOf(CHAIN), never)).toEqual({ storedBlocks: 3, refusedBlocks: 2 });
    expect(observer.refused.mock.calls).toEqual([['no-room'], ['parent']]);
    expect(await store.has(TEST_LAYOUT, HASHES, never)).toBe(3);
  });

  it('given a sender that stalls, when the call is over, then putting ends with its reason', async () => {
    const { store } = storeOf();
    const over = new AbortController();
    async function* stalled(): AsyncGenerator<KvBlock> {
      yield CHAIN[0]!;
      await new Promise(() => {});
    }
    const put = store.put(stalled(), over.signal);
    await vi.waitFor(async () => expect(await store.has(TEST_LAYOUT, HASHES, never)).toBe(1));
    over.abort(new Error('over'));
    await expect(put).rejects.toThrow('over');
  });
});

describe('a store with a tier behind', () => {
  it('given a new process, when asked, then what was written behind is found, and is in memory from then on', async () => {
    const { store, writes, restarted, observer, tier } = storeOf({ hasBehind: true });
    await store.put(streamOf(CHAIN), never);
    await writes.flushed();
    const again = restarted();
    expect(await again.store.has(TEST_LAYOUT, HASHES, never)).toBe(5);
    expect(await readAll(again.store)).toEqual(CHAIN);
    expect(foundBy(observer)).toEqual([{ other: 5 }, 5]);
    tier.isAway = true;
    expect(await readAll(again.store)).toEqual(CHAIN);
    expect(foundBy(observer)).toEqual([{ memory: 5 }, 5]);
  });

  it('given a chain of which memory has the beginning, then the rest comes from behind', async () => {
    const { store, writes, restarted, observer } = storeOf({ hasBehind: true });
    await store.put(streamOf(CHAIN), never);
    await writes.flushed();
    const again = restarted();
    await readAll(again.store, HASHES.slice(0, 2));
    expect(await readAll(again.store)).toEqual(CHAIN);
    expect(foundBy(observer)).toEqual([{ memory: 2, other: 3 }, 5]);
  });

  it('given that it is away, then memory alone counts and nothing fails', async () => {
    const { store, tier, writes, restarted, observer } = storeOf({ hasBehind: true });
    tier.isAway = true;
    expect(await store.put(streamOf(CHAIN), never)).toEqual({ storedBlocks: 5, refusedBlocks: 0 });
    await writes.flushed();
    expect(await readAll(store)).toEqual(CHAIN);
    const again = restarted();
    expect(await again.store.has(TEST_LAYOUT, HASHES, never)).toBe(0);
    expect(await readAll(again.store)).toEqual([]);
    expect(foundBy(observer)).toEqual([{}, 5]);
    expect(observer.called.mock.calls.map(([name, , , outcome]) => `${name} ${outcome}`)).toContain('other away');
  });

  it.each<[string, (bytes: Buffer) => void]>([
    ['a bit flipped', (bytes) => bytes.writeUInt8(bytes.readUInt8(bytes.length - 10) ^ 1, bytes.length - 10)],
    ['other bytes', (bytes) => void bytes.fill(255)],
    ['another block', (bytes) => void bytes.set(Buffer.alloc(16, 7), bytes.indexOf(HASHES[0]!))],
  ])('given %s in it, then what is damaged is missing, counted, and gone', async (_damage, damage) => {
    const { store, writes, restarted, observer, tier } = storeOf({ hasBehind: true });
    await store.put(streamOf(CHAIN), never);
    await writes.flushed();
    tier.damage = damage;
    const again = restarted();
    expect(await readAll(again.store)).toEqual([]);
    expect(observer.damaged.mock.calls).toEqual([['other']]);
    tier.damage = () => {};
    expect(await again.store.has(TEST_LAYOUT, HASHES.slice(0, 1), never)).toBe(0);
  });
});
