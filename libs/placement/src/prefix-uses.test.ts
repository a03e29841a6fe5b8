import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixHashes } from '#lib/kv';
import { PrefixUses } from './prefix-uses.js';

/** Chained hashes of a prompt whose blocks are these words. */
function hashesOf(words: readonly (string | number)[]): PrefixHashes {
  return PrefixHashes.of(
    words.map((_, at) =>
      createHash('sha256')
        .update(words.slice(0, at + 1).join())
        .digest()
        .subarray(0, 16),
    ),
  );
}

/** Leading blocks that at least 1, 2 and 3 of the earlier prompts began with. */
function exact(earlier: readonly (readonly number[])[], prompt: readonly number[]): number[] {
  const depths = earlier.map((other) => {
    const differs = prompt.findIndex((word, at) => other[at] !== word);
    return differs < 0 ? prompt.length : differs;
  });
  return depths
    .sort((a, b) => b - a)
    .slice(0, 3)
    .filter((depth) => depth > 0);
}

describe('uses of prefixes', () => {
  it('given prompts with common beginnings, then it says how many of each earlier ones had', () => {
    const uses = new PrefixUses(1_000);
    expect(uses.add(hashesOf(['a', 'b', 'c']))).toEqual([]);
    expect(uses.add(hashesOf(['a', 'b', 'd']))).toEqual([2]);
    expect(uses.add(hashesOf(['a', 'b', 'c', 'e']))).toEqual([3, 2]);
    expect(uses.add(hashesOf(['a']))).toEqual([1, 1, 1]);
    expect(uses.add(hashesOf(['b']))).toEqual([]);
    expect(uses.add(hashesOf([]))).toEqual([]);
  });

  it('given a prompt that is placed again, then it does not count as one before itself', () => {
    const uses = new PrefixUses(1_000);
    uses.add(hashesOf(['a', 'b']));
    uses.add(hashesOf(['a', 'c']));
    expect(uses.of(hashesOf(['a', 'c']))).toEqual([1]);
    expect(uses.of(hashesOf(['a', 'c']))).toEqual([1]);
    expect(uses.of(hashesOf(['x']))).toEqual([]);
  });

  it('given any prompts that it has room for, then it is never below the truth, and seldom above', () => {
    let above = 0;
    let asked = 0;
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(2), { maxLength: 12 }), { maxLength: 60 }), (prompts) => {
        const uses = new PrefixUses(4_096);
        for (const [at, prompt] of prompts.entries()) {
          const truth = exact(prompts.slice(0, at), prompt);
          const told = uses.add(hashesOf(prompt));
          for (const [index, depth] of truth.entries()) expect(told[index]).toBeGreaterThanOrEqual(depth);
          asked++;
          if (JSON.stringify(told) !== JSON.stringify(truth)) above++;
        }
      }),
    );
    expect(above / asked).toBeLessThan(0.01);
  });

  it('given a long prompt, then it is told to within a sixteenth of its length', () => {
    const uses = new PrefixUses(10_000);
    const words = Array.from({ length: 1_000 }, (_, at) => at);
    uses.add(hashesOf(words));
    expect(uses.of(hashesOf(words))).toEqual([]);
    expect(uses.add(hashesOf(words))).toEqual([1_000]);
    const [depth = 0] = uses.add(hashesOf([...words.slice(0, 700), ...words.slice(0, 300)]));
    expect(depth).toBeLessThanOrEqual(700);
    expect(depth).toBeGreaterThan(700 - 700 / 16);
  });

  it('given more prefixes than it has room for, then it forgets those that nobody used for the longest, and grows no larger', () => {
    const uses = new PrefixUses(2_000);
    const { memoryBytes } = uses;
    expect(memoryBytes).toBe(8 * 2_048);
    const hot = hashesOf(['hot']);
    const cold = hashesOf(['cold']);
    uses.add(cold);
    for (let prompt = 0; prompt < 10_000; prompt++) {
      uses.add(hashesOf([prompt]));
      if (prompt % 100 === 0) uses.add(hot);
    }
    expect(uses.add(hot)).toEqual([1, 1, 1]);
    expect(uses.add(cold)).toEqual([]);
    let mistaken = 0;
    for (let prompt = 0; prompt < 1_000; prompt++) if (uses.add(hashesOf([`new ${prompt}`])).length > 0) mistaken++;
    expect(mistaken).toBeLessThan(100);
    expect(uses.memoryBytes).toBe(memoryBytes);
  });

  it('given prefixes that nobody uses any more, then they are known for one generation after their own, and no longer', () => {
    const uses = new PrefixUses(4_000); // a generation has 2,000
    const prefixes = Array.from({ length: 50 }, (_, number) => hashesOf([`kept ${number}`]));
    for (const hashes of [...prefixes, ...prefixes]) uses.add(hashes);
    const known: number[] = [];
    for (let filler = 0; filler < 11_000; filler++) {
      uses.add(hashesOf([filler]));
      if (filler % 2_000 === 1_000) known.push(prefixes.filter((hashes) => uses.of(hashes).length > 0).length);
    }
    expect(known.slice(0, 2)).toEqual([50, 50]);
    for (const mistaken of known.slice(2)) expect(mistaken).toBeLessThan(5);
    expect(known).toHaveLength(5);
  });
});
