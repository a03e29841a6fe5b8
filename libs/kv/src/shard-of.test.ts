import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shardOf } from './shard-of.js';

const heads = fc.uint8Array({ minLength: 16, maxLength: 16 });
const shardLists = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}:[0-9]{4}$/), { minLength: 1, maxLength: 9 });

describe('the shard of a segment', () => {
  it('given any shards, when they are named in another order, then each segment is where it was', () =>
    fc.assert(
      fc.property(shardLists, heads, (shards, head) => {
        expect(shards).toContain(shardOf(shards, head));
        expect(shardOf(shards.toReversed(), head)).toBe(shardOf(shards, head));
      }),
    ));

  it('given any shards, when one leaves, then only its own segments move', () =>
    fc.assert(
      fc.property(
        shardLists.filter(({ length }) => length > 1),
        heads,
        (shards, head) => {
          const [gone, ...left] = shards as [string, ...string[]];
          const before = shardOf(shards, head);
          if (before !== gone) expect(shardOf(left, head)).toBe(before);
        },
      ),
    ));

  it('given four shards and many segments, then each has its part of them', () => {
    const shards = ['a:1', 'b:1', 'c:1', 'd:1'];
    const counts = new Map<string, number>();
    for (let n = 0; n < 4_000; n++) {
      const shard = shardOf(shards, Buffer.from(n.toString(16).padStart(32, '0'), 'hex'));
      counts.set(shard, (counts.get(shard) ?? 0) + 1);
    }
    for (const shard of shards) {
      expect(counts.get(shard)).toBeGreaterThan(850); // five standard deviations below 1,000
      expect(counts.get(shard)).toBeLessThan(1_150);
    }
  });

  it('given no shards, then it is a mistake to ask', () => {
    expect(() => shardOf([], new Uint8Array(16))).toThrow(RangeError);
  });
});
