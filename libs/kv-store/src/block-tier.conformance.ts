import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlockTier, TierBlock } from './block-tier.js';

const never = new AbortController().signal;

/** A chain of blocks that no other test has, of bytes that are all different. */
export function someChain(blocks: number, bytesOf: (index: number) => number = () => 100): TierBlock[] {
  const name = randomBytes(8).toString('hex');
  return Array.from({ length: blocks }, (_, index) => ({
    key: `${name}:${index}`,
    parentKey: index === 0 ? undefined : `${name}:${index - 1}`,
    bytes: randomBytes(bytesOf(index)),
  }));
}

export const keysOf = (blocks: readonly TierBlock[]) => blocks.map(({ key }) => key);

/**
 * What every tier does, on any implementation that has room for the blocks of a test.
 * @param create  a tier, and how to leave it
 */
export function describeBlockTier(
  name: string,
  create: () => Promise<{ tier: BlockTier; leave: () => Promise<void> }>,
) {
  describe(`a tier of blocks ${name}`, () => {
    let tier: BlockTier;
    let leave: () => Promise<void>;
    beforeEach(async () => {
      ({ tier, leave } = await create());
    });
    afterEach(() => leave());

    it('given blocks of all lengths, when written, then they are read back byte by byte', async () => {
      const lengths = [1, 16_383, 16_384, 16_385, 100_000, 32_768, 737_500, 0];
      const chain = someChain(lengths.length, (index) => lengths[index]!);
      expect(await tier.write(chain, never)).toBe(chain.length);
      const read = await tier.read(keysOf(chain), never);
      expect(read).toHaveLength(chain.length);
      for (const [index, bytes] of read.entries())
        expect(bytes.equals(chain[index]!.bytes), `block ${index}`).toBe(true);
    });

    it('given a part of a chain, when asked for all of it, then the leading run counts alone', async () => {
      const chain = someChain(6);
      await tier.write([...chain.slice(0, 2)], never);
      await tier.write([...chain.slice(3, 5)], never);
      expect(await tier.has(keysOf(chain), never)).toBe(2);
      expect(await tier.read(keysOf(chain), never)).toHaveLength(2);
      expect(await tier.has(keysOf(chain.slice(3)), never)).toBe(2);
      expect(await tier.has(keysOf(someChain(2)), never)).toBe(0);
      expect(await tier.has([], never)).toBe(0);
      expect(await tier.read([], never)).toEqual([]);
    });

    it('given what was read, when the caller changes it, then the next one reads what was written', async () => {
      const [block] = someChain(1) as [TierBlock];
      const written = Buffer.from(block.bytes);
      await tier.write([block], never);
      const [first] = await tier.read([block.key], never);
      first?.fill(0);
      expect((await tier.read([block.key], never))[0]?.equals(written)).toBe(true);
    });

    it('given blocks that are held, when they are written again or touched, then they are as before', async () => {
      const chain = someChain(3);
      await tier.write(chain, never);
      expect(await tier.write(chain, never)).toBe(3);
      await tier.touch([...keysOf(chain), 'unknown:1'], never);
      const read = await tier.read(keysOf(chain), never);
      expect(read.map((bytes, index) => bytes.equals(chain[index]!.bytes))).toEqual([true, true, true]);
      expect(await tier.has(keysOf(chain), never)).toBe(3);
    });

    it('given a block that is removed, then it and no other is gone, and it can come again', async () => {
      const chain = someChain(4);
      await tier.write(chain, never);
      await tier.remove([chain[2]!.key, 'unknown:1'], never);
      expect(await tier.has(keysOf(chain), never)).toBe(2);
      expect(await tier.has([chain[3]!.key], never)).toBe(1);
      await tier.write(chain, never);
      expect(await tier.has(keysOf(chain), never)).toBe(4);
    });

    it('given many chains written and read at once, then each reads its own', async () => {
      const chains = Array.from({ length: 20 }, () => someChain(5, (index) => 1 + 10_000 * index));
      await Promise.all(chains.map((chain) => tier.write(chain, never)));
      const read = await Promise.all(chains.map((chain) => tier.read(keysOf(chain), never)));
      for (const [index, chain] of chains.entries()) {
        expect(read[index]?.map((bytes, at) => bytes.equals(chain[at]!.bytes))).toEqual(chain.map(() => true));
      }
    });
  });
}
