import { describe, expect, it } from 'vitest';
import { describeLimitBook } from './limit-book.conformance.js';
import type { Reservation, UsageEntry } from './limit-book.js';
import type { Limits } from './limits.js';
import { MemoryLimitBook } from './memory-limit-book.js';

describeLimitBook('in memory', async () => {
  const entries: UsageEntry[] = [];
  const book = new MemoryLimitBook(
    () => performance.timeOrigin + performance.now(),
    (entry) => entries.push(entry),
  );
  return { book, settled: async () => entries };
});

const LATE_IN_NOVEMBER_MS = Date.UTC(2026, 10, 30, 23, 59, 50);
const DECEMBER_MS = Date.UTC(2026, 11, 1);

describe('the limit book in memory, as time goes', () => {
  let nowMs = 0;
  const open = () =>
    new MemoryLimitBook(
      () => nowMs,
      () => {},
    );
  const asks = (id: string, limits: Limits, subjectId = 'all'): Reservation => ({
    ...{ id, tenantId: 'acme', subjects: [{ id: subjectId, limits }] },
    price: { input: 1, cachedInput: 1, output: 1 },
    ...{ promptTokens: 10, outputTokens: 20, leastOutputTokens: 1, sliceTokens: 10 },
    about: { keyId: '', modelId: 'model', requestId: 'request' },
  });
  const spent = (completionTokens: number) => ({
    ...{ promptTokens: 10, cachedTokens: 0, completionTokens, outcome: 'answered' as const },
  });

  it('given a minute that passed, then its tokens are free; and a moment earlier they are not', () => {
    const book = open();
    nowMs = LATE_IN_NOVEMBER_MS;
    const limits = { tokensPerMinute: 40 };
    book.begin(asks('a', limits));
    const refusal = book.begin(asks('b', limits));
    if (refusal.isAllowed) throw new Error('expected a refusal');
    nowMs += refusal.retryAfterMs - 1;
    expect(book.begin(asks('c', limits)).isAllowed).toBe(false);
    nowMs++;
    expect(book.begin(asks('d', limits)).isAllowed).toBe(true);
  });

  it.each([{ tokensPerDay: 20 }, { tokensPerMonth: 20 }])(
    'given %o used up, then the next period begins with all of it, at the time that was named',
    (limits) => {
      const book = open();
      nowMs = LATE_IN_NOVEMBER_MS;
      const request = asks('a', limits);
      book.begin(request);
      book.settle(request, spent(10));
      expect(book.begin(asks('b', limits))).toMatchObject({ isAllowed: false, retryAfterMs: 10_000, used: 20 });
      nowMs = DECEMBER_MS;
      expect(book.begin(asks('c', limits))).toMatchObject({ isAllowed: true, coveredTokens: 10 });
    },
  );

  it('given an answer over midnight, then each slice counts for the day it was taken in, and gives back there', () => {
    const book = open();
    nowMs = LATE_IN_NOVEMBER_MS;
    const limits = { tokensPerDay: 30 };
    const request = asks('a', limits);
    book.begin(request); // 10 + 10 of November
    nowMs = DECEMBER_MS;
    expect(book.extend(request, 11, 20)).toMatchObject({ coveredTokens: 20 }); // 10 of December
    book.settle(request, spent(12));
    expect(book.begin(asks('b', limits))).toMatchObject({ coveredTokens: 10 }); // 2 of December are used
    expect(book.begin(asks('c', limits))).toMatchObject({ isAllowed: false, used: 22 });
  });

  it('given what was used before it began, when restored, then it counts, once', () => {
    const book = open();
    nowMs = LATE_IN_NOVEMBER_MS;
    const used = { day: { tokens: 15, nanos: 0 }, month: { tokens: 25, nanos: 0 } };
    book.restore('acme', 'all', used);
    book.restore('acme', 'all', used);
    expect(book.begin(asks('a', { tokensPerDay: 30, tokensPerMonth: 40 }))).toMatchObject({ coveredTokens: 5 });
  });

  it('given limits that change while requests run, then what runs counts on', () => {
    const book = open();
    const request = asks('a', { concurrentRequests: 2 });
    book.begin(request);
    expect(book.begin(asks('b', { concurrentRequests: 1 })).isAllowed).toBe(false);
    book.settle(request, spent(1));
    expect(book.begin(asks('c', { concurrentRequests: 1 })).isAllowed).toBe(true);
  });

  it('given subjects that nobody asks for any more, then they are forgotten; those that run or have used quotas are not', () => {
    const book = open();
    nowMs = DECEMBER_MS;
    for (let i = 0; i < 1_000; i++) {
      const request = asks(`r-${i}`, {}, `key-${i}`);
      book.begin(request);
      book.settle(request, { ...spent(0), promptTokens: 0 });
    }
    book.begin(asks('running', {}, 'running'));
    const used = asks('used', {}, 'used');
    book.begin(used);
    book.settle(used, spent(1));
    expect([book.size, book.liveCount]).toEqual([1_002, 1]);
    nowMs += 600_000; // of the same month
    book.begin(asks('other', {}));
    expect(book.size).toBe(3);
  });
});
