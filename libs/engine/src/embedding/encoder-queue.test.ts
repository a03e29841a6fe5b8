import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EncoderQueue, type WaitingInput } from './encoder-queue.js';

const BUDGET = 64;
const MOST_TOKENS = 40;

const tokens = (length: number) => Array.from({ length }, (_, index) => index);
const requests = fc.array(fc.array(fc.integer({ min: 1, max: MOST_TOKENS }), { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 8,
});

function filled(lengths: readonly (readonly number[])[]): EncoderQueue<number> {
  const queue = new EncoderQueue<number>();
  for (const [owner, own] of lengths.entries()) queue.add(owner, own.map(tokens));
  return queue;
}

function takeAll(queue: EncoderQueue<number>, batchTokens = BUDGET): WaitingInput<number>[][] {
  const batches: WaitingInput<number>[][] = [];
  for (let batch = queue.take(batchTokens); batch.length > 0; batch = queue.take(batchTokens)) batches.push(batch);
  return batches;
}

const lengthsOf = (batch: readonly WaitingInput<number>[]) => batch.map(({ tokenIds }) => tokenIds.length);
const longestOf = (batch: readonly WaitingInput<number>[]) => Math.max(...lengthsOf(batch));
const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

describe('EncoderQueue', () => {
  it('given any requests, when all is taken, then each input comes once, with its index and its tokens', () =>
    fc.assert(
      fc.property(requests, (lengths) => {
        const queue = filled(lengths);
        expect(queue.tokens).toBe(sum(lengths.flat()));
        const came = takeAll(queue).flat();
        expect(came).toHaveLength(lengths.flat().length);
        expect(new Set(came.map(({ owner, index }) => `${owner}/${index}`)).size).toBe(came.length);
        for (const { owner, index, tokenIds } of came) expect(tokenIds).toHaveLength(lengths[owner]![index]!);
        expect(queue.tokens).toBe(0);
      }),
    ));

  it('given any requests, when a batch is taken, then it keeps to the budget and hardly fills up', () =>
    fc.assert(
      fc.property(requests, (lengths) => {
        for (const batch of takeAll(filled(lengths))) {
          const positions = batch.length * longestOf(batch);
          if (batch.length > 1) expect(positions).toBeLessThanOrEqual(BUDGET);
          expect(positions - sum(lengthsOf(batch))).toBeLessThanOrEqual(16);
        }
      }),
    ));

  it('given any requests, when one waits, then it is part of a batch after as many as wait with it', () =>
    fc.assert(
      fc.property(requests, (lengths) => {
        const queue = filled(lengths);
        const unserved = new Set(lengths.keys());
        for (let batch = 0; batch < lengths.length; batch++) {
          for (const { owner } of queue.take(BUDGET)) unserved.delete(owner);
        }
        expect([...unserved]).toEqual([]);
      }),
    ));

  it('given any of them removed between batches, when the rest is taken, then nothing of those comes any more', () =>
    fc.assert(
      fc.property(requests, fc.array(fc.nat(7)), (lengths, leavers) => {
        const queue = filled(lengths);
        const remaining = new Map(lengths.map((own, owner) => [owner, own.length]));
        const take = () => {
          const batch = queue.take(BUDGET);
          for (const { owner } of batch) {
            expect(remaining.has(owner)).toBe(true);
            remaining.set(owner, remaining.get(owner)! - 1);
          }
          return batch.length;
        };
        for (const owner of leavers) {
          queue.remove(owner);
          remaining.delete(owner);
          take();
        }
        while (take() > 0);
        expect([...remaining.values()].every((count) => count === 0)).toBe(true);
        expect(queue.tokens).toBe(0);
      }),
    ));

  it('given a request of many inputs, when a small one comes after it, then that one is in the next batch but one at most', () => {
    const queue = filled([Array.from({ length: 1_000 }, () => 30)]);
    queue.take(BUDGET);
    queue.add(1, [tokens(3)]);
    const next = [...queue.take(BUDGET), ...queue.take(BUDGET)];
    expect(next.some(({ owner }) => owner === 1)).toBe(true);
  });

  it('given inputs of equal lengths of several requests, when taken, then they share a batch; others do not', () => {
    const queue = filled([[30, 8], [8], [8, 8], [30]]);
    expect(lengthsOf(queue.take(256)).sort()).toEqual([30, 30]);
    expect(lengthsOf(queue.take(256))).toEqual([8, 8, 8, 8]);
  });

  it('given inputs that are a little longer than the first, when taken, then they join it', () => {
    expect(lengthsOf(filled([[8], [9], [10]]).take(256)).sort((a, b) => a - b)).toEqual([8, 9, 10]);
  });

  it('given an input above the budget, when taken, then it is a batch of its own', () => {
    expect(takeAll(filled([[40, 40], [2]]), 16).map(lengthsOf)).toEqual([[40], [2], [40]]);
  });
});
