import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeBlockTier, keysOf, someChain } from './block-tier.conformance.js';
import type { TierBlock } from './block-tier.js';
import { MemoryTier } from './memory-tier.js';
import { PAGE_BYTES } from './page-arena.js';

describeBlockTier('in memory', async () => ({
  tier: new MemoryTier({ bytes: 64 * 1024 * 1024 }),
  leave: async () => {},
}));

const PAGE = () => PAGE_BYTES;

describe('the memory tier', () => {
  it('given less than a page, then it cannot be made', () => {
    expect(() => new MemoryTier({ bytes: PAGE_BYTES - 1 })).toThrow(RangeError);
  });

  it('given a full tier, when another chain comes, then the chain used the longest ago goes from its end', async () => {
    const tier = new MemoryTier({ bytes: 6 * PAGE_BYTES });
    const [old, used, next] = [someChain(3, PAGE), someChain(3, PAGE), someChain(2, PAGE)];
    await tier.write(used);
    await tier.write(old);
    await tier.touch(keysOf(used));
    expect(await tier.write(next)).toBe(2);
    expect(await tier.has(keysOf(used))).toBe(3);
    expect(await tier.has(keysOf(old))).toBe(1);
    expect(await tier.has(keysOf(next))).toBe(2);
    expect(tier.evictedBlocks).toBe(2);
  });

  it('given a chain longer than all memory, when written, then its leading blocks are kept and no more', async () => {
    const tier = new MemoryTier({ bytes: 4 * PAGE_BYTES });
    const chain = someChain(7, PAGE);
    expect(await tier.write(chain)).toBe(4);
    expect(await tier.has(keysOf(chain))).toBe(4);
    expect(await tier.write(chain.slice(4, 5))).toBe(0); // one at a time, as a stream brings them
    expect(await tier.has(keysOf(chain))).toBe(4);
    expect(tier.heldBytes).toBeLessThanOrEqual(tier.capacityBytes);
  });

  it('given a block larger than all memory, then it is refused and nothing goes for it', async () => {
    const tier = new MemoryTier({ bytes: 4 * PAGE_BYTES });
    const small = someChain(2, PAGE);
    await tier.write(small);
    expect(await tier.write(someChain(1, () => 4 * PAGE_BYTES + 1))).toBe(0);
    expect(await tier.has(keysOf(small))).toBe(2);
  });

  it('given a policy of its own, then it decides who goes', async () => {
    const newestFirst: { key: string }[] = [];
    const tier = new MemoryTier({
      bytes: 2 * PAGE_BYTES,
      policy: {
        found: () => {},
        kept: (chain) => newestFirst.unshift(...chain.filter((block) => !newestFirst.includes(block))),
        forget: (block) => newestFirst.splice(newestFirst.indexOf(block as { key: string }), 1),
        inOrder: () => newestFirst,
      },
    });
    const [first, second, third] = [someChain(1, PAGE), someChain(1, PAGE), someChain(1, PAGE)];
    for (const chain of [first, second, third]) await tier.write(chain);
    expect(await tier.has(keysOf(first))).toBe(1);
    expect(await tier.has(keysOf(second))).toBe(0);
  });

  it('given any writes, touches and removals, then it is never over its bound, blocks are whole, and a parent outlives its children', async () => {
    const chains = Array.from({ length: 6 }, (_, chain) =>
      someChain(8, (index) => 1 + ((chain * 7 + index * 5) % 5) * 9_000),
    );
    const known = new Map(chains.flat().map((block) => [block.key, block]));
    const command = fc.record({
      kind: fc.constantFrom('write', 'touch', 'remove'),
      chain: fc.nat(chains.length - 1),
      blocks: fc.integer({ min: 1, max: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { maxLength: 40 }),
        fc.integer({ min: 1, max: 40 }),
        async (commands, pages) => {
          const tier = new MemoryTier({ bytes: pages * PAGE_BYTES });
          const removed = new Set<string>();
          for (const { kind, chain, blocks } of commands) {
            const some = chains[chain]!.slice(0, blocks);
            if (kind === 'write') await tier.write(some);
            else if (kind === 'touch') await tier.touch(keysOf(some));
            else {
              await tier.remove(keysOf(some.slice(-1)));
              removed.add(some[0]!.key);
            }
            expect(tier.heldBytes).toBeLessThanOrEqual(pages * PAGE_BYTES);
          }
          await checkBlocks(tier, known);
          for (const chain of chains.filter(([first]) => !removed.has(first!.key))) {
            const held = await Promise.all(chain.map(async ({ key }) => (await tier.has([key])) === 1));
            expect(held.lastIndexOf(true) + 1).toBe(held.filter(Boolean).length); // no gap
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** Each is what was written, and together they take what the tier says. */
async function checkBlocks(tier: MemoryTier, known: ReadonlyMap<string, TierBlock>): Promise<void> {
  let blocks = 0;
  let bytes = 0;
  for (const { key, bytes: written } of known.values()) {
    const [read] = await tier.read([key]);
    if (read === undefined) continue;
    expect(read.equals(written)).toBe(true);
    blocks++;
    bytes += Math.max(1, Math.ceil(written.length / PAGE_BYTES)) * PAGE_BYTES;
  }
  expect({ blocks, bytes }).toEqual({ blocks: tier.heldBlocks, bytes: tier.heldBytes });
}
