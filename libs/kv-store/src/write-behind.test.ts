import { describe, expect, it } from 'vitest';
import { keysOf, someChain } from './block-tier.conformance.js';
import { TierUnavailableError } from './block-tier.js';
import { MemoryTier } from './memory-tier.js';
import { WriteBehind } from './write-behind.js';

const MEBIBYTE = 1024 * 1024;

/** A tier whose writes wait for a gate. */
class GatedTier extends MemoryTier {
  readonly batches: number[] = [];
  gate = Promise.withResolvers<void>();
  failure: Error | undefined;

  override async write(...[blocks]: Parameters<MemoryTier['write']>): Promise<number> {
    this.batches.push(blocks.length);
    await this.gate.promise;
    if (this.failure !== undefined) throw this.failure;
    return super.write(blocks);
  }
}

function behind(mostBytes: number) {
  const tier = new GatedTier({ bytes: 64 * MEBIBYTE });
  const dropped: number[] = [];
  const queue = new WriteBehind(tier, { mostBytes, onDropped: (blocks) => dropped.push(blocks) });
  return { tier, dropped, queue };
}

describe('writing behind', () => {
  it('given a slow tier, when more is offered than may wait, then what is beyond is dropped and the rest arrives in order', async () => {
    const { tier, dropped, queue } = behind(1_000);
    const chain = someChain(12);
    for (const block of chain) queue.offer(block);
    expect(queue.waitingBytes).toBe(1_000);
    expect(dropped).toEqual([1, 1]);
    tier.gate.resolve();
    await queue.flushed();
    expect(await tier.has(keysOf(chain))).toBe(10);
    expect(queue.waitingBytes).toBe(0);
  });

  it('given blocks of all sizes, then a batch has at most sixteen of them, or 8 MiB', async () => {
    const { tier, queue } = behind(100 * MEBIBYTE);
    for (const block of [...someChain(20), ...someChain(4, () => 3 * MEBIBYTE)]) queue.offer(block);
    tier.gate.resolve();
    await queue.flushed();
    expect(tier.batches).toEqual([1, 16, 5, 2]);
  });

  it('given a tier that is away, then what it was to take is dropped, and later blocks are offered to it again', async () => {
    const { tier, dropped, queue } = behind(1_000);
    tier.failure = new TierUnavailableError('away');
    tier.gate.resolve();
    queue.offer(someChain(1)[0]!);
    await queue.flushed();
    expect(dropped).toEqual([1]);
    tier.failure = undefined;
    const [block] = someChain(1);
    queue.offer(block!);
    await queue.flushed();
    expect(await tier.has([block!.key])).toBe(1);
  });

  it('given a close, then what waits is written, and nothing is taken any more', async () => {
    const { tier, dropped, queue } = behind(1_000);
    const [first, second] = [someChain(1), someChain(1)];
    queue.offer(first[0]!);
    tier.gate.resolve();
    await queue.close(10_000);
    queue.offer(second[0]!);
    expect(dropped).toEqual([1]);
    expect([await tier.has(keysOf(first)), await tier.has(keysOf(second))]).toEqual([1, 0]);
  });
});
