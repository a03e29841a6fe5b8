import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashBlocks, prefixSeed } from './block-hash.js';
import type { CachedBlock } from './cached-block.js';
import { createEviction } from './eviction/create-eviction.js';
import type { EvictionPolicy } from './eviction/eviction-policy.js';
import { PrefixIndex } from './prefix-index.js';

const BLOCK_TOKENS = 2;
const seedOf = (salt: string) => prefixSeed({ modelFingerprint: 'm', adapterVersion: '', salt });

/** Hashes and tokens of a prompt, as a caller would bring them. */
function promptOf(tokenIds: readonly number[], salt = '') {
  const hashes = hashBlocks(tokenIds, BLOCK_TOKENS, seedOf(salt)).map((hash) => Buffer.from(hash).toString('hex'));
  return { tokenIds, hashes };
}

const indexOf = (places: number, policy?: EvictionPolicy<CachedBlock>) =>
  new PrefixIndex({ blockTokens: BLOCK_TOKENS, places, policy });
const add = (index: PrefixIndex, prompt: ReturnType<typeof promptOf>, most = Infinity) =>
  index.add(prompt.hashes, prompt.tokenIds, most);
const matched = (index: PrefixIndex, prompt: ReturnType<typeof promptOf>) =>
  index.match(prompt.hashes, prompt.tokenIds).length;

describe('PrefixIndex', () => {
  it('given prompts with a common start, when added, then the start is held once and each finds itself', () => {
    const index = indexOf(10);
    const [first, second] = [promptOf([1, 2, 3, 4, 5, 6]), promptOf([1, 2, 3, 4, 7, 8, 9])];
    expect(add(index, first)).toMatchObject({ knownBlocks: 0, removed: [] });
    const { knownBlocks, added } = add(index, second);
    expect(knownBlocks).toBe(2);
    expect(added[0]?.parent?.hash).toBe(first.hashes[1]);
    expect(added.map(({ tokenIds }) => tokenIds)).toEqual([[7, 8]]);
    expect(index.size).toBe(4);
    expect([matched(index, first), matched(index, second), matched(index, promptOf([1, 2, 9, 9]))]).toEqual([3, 3, 1]);
  });

  it('given the same tokens under another salt, when looked for, then nothing is found', () => {
    const index = indexOf(10);
    add(index, promptOf([1, 2, 3, 4], 'a'));
    expect(matched(index, promptOf([1, 2, 3, 4], 'b'))).toBe(0);
  });

  it('given a hash that two runs of tokens share, when looked for or added, then only the tokens that are held are found', () => {
    const index = indexOf(10);
    index.add(['aa', 'bb'], [1, 2, 3, 4], Infinity);
    expect(index.match(['aa', 'bb'], [1, 2, 3, 5])).toHaveLength(1);
    expect(index.match(['aa', 'bb'], [1, 9, 3, 4])).toHaveLength(0);
    expect(index.match(['bb'], [3, 4])).toHaveLength(0);
    expect(index.add(['aa', 'bb', 'cc'], [1, 2, 3, 5, 6, 7], Infinity).added).toEqual([]);
    expect(index.size).toBe(2);
  });

  it('given no room, when a prompt is added, then leaves that were used the longest ago go, and never its own', () => {
    const index = indexOf(4);
    const [old, recent] = [promptOf([1, 1, 2, 2]), promptOf([3, 3, 4, 4])];
    add(index, old);
    add(index, recent);
    matched(index, old);
    const { added, removed } = add(index, promptOf([5, 5]));
    expect(removed.map(({ hash }) => hash)).toEqual([recent.hashes[1]]);
    expect(added[0]?.place).toBe(removed[0]?.place);
    const long = promptOf([1, 1, 2, 2, 6, 6, 7, 7, 8, 8]);
    expect(add(index, long).added).toHaveLength(2);
    expect([matched(index, long), index.size]).toEqual([4, 4]);
  });

  it('given a bound that sinks, when shrunk, then chains are cut from their ends', () => {
    const index = indexOf(8);
    const prompt = promptOf([1, 1, 2, 2, 3, 3, 4, 4]);
    const { added } = add(index, prompt);
    expect(index.shrinkTo(3).map(({ hash }) => hash)).toEqual([prompt.hashes[3]]);
    expect(index.stillHeld(added)).toEqual(added.slice(0, 3));
    expect(add(index, prompt, 2).added).toEqual([]);
    expect(index.shrinkTo(-1)).toHaveLength(3);
    expect(matched(index, prompt)).toBe(0);
  });

  it('given another policy, when room is needed, then it decides among the leaves', () => {
    const largestFirst: EvictionPolicy<CachedBlock> & { blocks: Set<CachedBlock> } = {
      blocks: new Set(),
      found() {},
      kept(chain) {
        for (const block of chain) this.blocks.add(block);
      },
      forget(block) {
        this.blocks.delete(block);
      },
      inOrder() {
        return [...this.blocks].sort((a, b) => b.tokenIds[0]! - a.tokenIds[0]!);
      },
    };
    const index = indexOf(3, largestFirst);
    add(index, promptOf([9, 9, 1, 1]));
    add(index, promptOf([5, 5]));
    expect(index.shrinkTo(1).map(({ tokenIds }) => tokenIds[0])).toEqual([5, 1]);
    expect([...index.all()].map(({ tokenIds }) => tokenIds[0])).toEqual([9]);
  });

  it('given prompts that are continued among others that are not, when uses count, then it is those that stay', () => {
    const continued = promptOf([1, 1, 2, 2]);
    const foundBy = (name: 'lru' | 'lfuda') => {
      const index = indexOf(
        8,
        createEviction(name, ({ hash }) => hash),
      );
      let found = 0;
      for (let round = 0; round < 20; round++) {
        found += matched(index, continued);
        add(index, continued);
        for (let other = 0; other < 4; other++) add(index, promptOf([100 + round, other, 9, 9]));
      }
      return found;
    };
    expect(foundBy('lru')).toBe(0);
    expect(foundBy('lfuda')).toBeGreaterThan(30);
  });

  it('given any additions, look-ups and bounds, then it agrees with a list, holds parents for as long as children, gives each place once, and lets the oldest leaf go', () => {
    const prompt = fc.record({
      tokenIds: fc.array(fc.nat(1), { maxLength: 12 }),
      salt: fc.constantFrom('a', 'b'),
      most: fc.nat(12),
      kind: fc.constantFrom('add' as const, 'add' as const, 'match' as const, 'shrink' as const),
    });
    fc.assert(
      fc.property(fc.array(prompt, { maxLength: 40 }), fc.integer({ min: 1, max: 10 }), (commands, places) => {
        const index = indexOf(places);
        /** Hash of each held block: when it was used last. */
        const model = new Map<string, number>();
        const parents = new Map<string, string | undefined>();
        let now = 0;
        const isLeaf = (hash: string) => ![...model.keys()].some((other) => parents.get(other) === hash);
        const oldestLeaf = (spared: readonly string[] = []) =>
          [...model].filter(([hash]) => isLeaf(hash) && !spared.includes(hash)).sort((a, b) => a[1] - b[1])[0]?.[0];
        const use = (hashes: readonly string[]) => {
          for (const hash of hashes.toReversed()) model.set(hash, now++);
        };
        const evictTo = (most: number, spared: readonly string[] = []) => {
          const gone: string[] = [];
          while (model.size > most) {
            const victim = oldestLeaf(spared);
            if (victim === undefined) break;
            model.delete(victim);
            gone.push(victim);
          }
          return gone;
        };
        for (const { tokenIds, salt, most, kind } of commands) {
          const { hashes } = promptOf(tokenIds, salt);
          for (const [at, hash] of hashes.entries()) parents.set(hash, hashes[at - 1]);
          const known = hashes.findIndex((hash) => !model.has(hash));
          const held = hashes.slice(0, known < 0 ? hashes.length : known);
          if (kind === 'match') {
            expect(index.match(hashes, tokenIds).map(({ hash }) => hash)).toEqual(held);
            use(held);
          } else if (kind === 'shrink') {
            expect(index.shrinkTo(most).map(({ hash }) => hash)).toEqual(evictTo(most));
          } else {
            const { added, removed } = index.add(hashes, tokenIds, most);
            const gone: string[] = [];
            const limit = Math.min(most, places);
            const chain = [...held];
            for (const hash of hashes.slice(held.length)) {
              gone.push(...evictTo(limit - 1, chain));
              if (model.size >= limit) break;
              model.set(hash, now++);
              chain.push(hash);
            }
            expect(removed.map(({ hash }) => hash)).toEqual(gone);
            expect(added.map(({ hash }) => hash)).toEqual(chain.slice(held.length));
            use(chain);
          }
          const all = [...index.all()];
          expect(all.map(({ hash }) => hash).sort()).toEqual([...model.keys()].sort());
          expect(index.size).toBe(all.length);
          expect(new Set(all.map(({ place }) => place)).size).toBe(all.length);
          for (const [at, { place, parent }] of all.entries()) {
            expect(place).toBeLessThan(places);
            if (parent !== undefined) expect(all.slice(0, at)).toContain(parent);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
