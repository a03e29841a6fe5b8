import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixHashes } from '#lib/kv';
import { shortHash } from '../short-hash.js';
import { pairsOf } from './attention-pairs.js';
import type { PendingPrompt } from './pending-prompt.js';
import { PendingPrompts } from './pending-prompts.js';

const hashOf = (seed: number) => Buffer.alloc(16, seed);
const firstKeyOf = ({ prefixHashes }: PendingPrompt) =>
  prefixHashes.length > 0 ? shortHash(prefixHashes, 0) : Number.NaN;

/** Few, so that they meet again. */
const generationId = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
/** Reports over intervals leave parts of tokens, and the order in which those are added up counts. */
const tokens = fc.double({ min: 0.001, max: 1e6, noNaN: true });
const prompt: fc.Arbitrary<PendingPrompt> = fc.record({
  generationId,
  promptTokens: tokens,
  prefixHashes: fc.array(fc.nat(9), { maxLength: 2 }).map((blocks) => PrefixHashes.of(blocks.map(hashOf))),
  sentAtMs: fc.constant(0),
  remainingTokens: tokens,
});

const change = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), prompt }),
  fc.record({ kind: fc.constant('delete' as const), generationId }),
  fc.record({ kind: fc.constant('replace' as const), prompts: fc.array(prompt, { maxLength: 6 }) }),
  fc.record({ kind: fc.constant('compute' as const), index: fc.nat(5), remainingTokens: tokens }),
);
type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;

/** @param expected  what is pending after it, in order */
function apply(one: Change, prompts: PendingPrompts, expected: Map<string, PendingPrompt>): void {
  switch (one.kind) {
    case 'add': {
      const added = { ...one.prompt };
      prompts.add(added);
      expected.set(added.generationId, added);
      return;
    }
    case 'delete':
      prompts.delete(one.generationId);
      expected.delete(one.generationId);
      return;
    case 'replace': {
      const all = one.prompts.map((each) => ({ ...each }));
      prompts.replace(all);
      expected.clear();
      for (const each of all) expected.set(each.generationId, each);
      return;
    }
    case 'compute': {
      const pending = prompts.inOrder[one.index];
      if (pending === undefined) return;
      pending.remainingTokens = one.remainingTokens;
      prompts.remainingTokensChanged();
    }
  }
}

function addedUp(prompts: readonly PendingPrompt[]) {
  const sums = { tokens: 0, pairs: 0, contextTokens: 0 };
  for (const { promptTokens, remainingTokens } of prompts) {
    sums.tokens += remainingTokens;
    sums.pairs += pairsOf(promptTokens, remainingTokens);
    sums.contextTokens += promptTokens;
  }
  return sums;
}

describe('PendingPrompts', () => {
  it('given any changes, asked after each or after some, then first keys and backlog are to the last bit what the prompts in order give', () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(change, fc.boolean()), { maxLength: 40 }), (changes) => {
        const prompts = new PendingPrompts();
        const expected = new Map<string, PendingPrompt>();
        for (const [one, isAskedAfter] of changes) {
          apply(one, prompts, expected);
          expect(prompts.inOrder).toEqual([...expected.values()]);
          expect(prompts.size).toBe(expected.size);
          expect(prompts.firstKeys).toEqual(prompts.inOrder.map(firstKeyOf));
          if (isAskedAfter) expect(prompts.backlog).toEqual(addedUp(prompts.inOrder));
        }
        expect(prompts.backlog).toEqual(addedUp(prompts.inOrder));
      }),
    ));
});
