import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BeginDecision, LimitBook, Reservation, Settlement, UsageEntry } from './limit-book.js';
import type { LimitedSubject, Limits } from './limits.js';

export interface OpenedBook {
  readonly book: LimitBook;
  /** Waits until what was settled is counted. @returns what the ledger was told so far */
  settled(): Promise<readonly UsageEntry[]>;
}

const PRICE = { input: 20, cachedInput: 5, output: 100 };
let ids = 0;

function asks(tenantId: string, subjects: readonly LimitedSubject[], wish: Partial<Reservation> = {}): Reservation {
  return {
    ...{ id: `reservation-${ids++}`, tenantId, subjects, price: PRICE },
    ...{ promptTokens: 10, outputTokens: 100, leastOutputTokens: 1, sliceTokens: 16 },
    about: { keyId: 'key', modelId: 'model', requestId: 'request' },
    ...wish,
  };
}
const of = (limits: Limits, id = 'all'): LimitedSubject[] => [{ id, limits }];
const spent = (promptTokens: number, completionTokens: number, cachedTokens = 0): Settlement => ({
  ...{ promptTokens, cachedTokens, completionTokens, outcome: 'answered' },
});

/** What holds of every limit book. @param open  one without counts; each test has a tenant of its own */
export function describeLimitBook(name: string, open: () => Promise<OpenedBook>): void {
  describe(`the limit book ${name}`, () => {
    const tenant = () => `tenant-${ids++}`;
    const allowed = async (book: LimitBook, reservation: Reservation): Promise<number> => {
      const decision = await book.begin(reservation);
      if (!decision.isAllowed) throw new Error(`refused by ${decision.name}`);
      return decision.coveredTokens;
    };
    const refused = (decision: BeginDecision) => {
      if (decision.isAllowed) throw new Error('expected a refusal');
      return decision;
    };

    it('given tokens by the minute, when settled to what was used, then the rest is free at once', async () => {
      const { book, settled } = await open();
      const [id, limits] = [tenant(), of({ tokensPerMinute: 150 })];
      const first = asks(id, limits);
      expect((await book.begin(first)).tokens).toMatchObject({ limit: 150, remaining: 40 });
      const second = refused(await book.begin(asks(id, limits)));
      expect(second).toMatchObject({ subjectId: 'all', name: 'tokensPerMinute', limit: 150, used: 110, asked: 110 });
      expect(second.retryAfterMs).toBeGreaterThan(50_000);
      expect(second.retryAfterMs).toBeLessThanOrEqual(61_000);
      expect(second.tokens?.resetMs).toBeGreaterThan(50_000);
      book.settle(first, spent(10, 5));
      book.settle(first, spent(0, 0)); // once
      await settled();
      expect((await book.begin(asks(id, limits))).tokens?.remaining).toBe(150 - 15 - 110);
      expect(refused(await book.begin(asks(id, limits, { outputTokens: 1_000 }))).retryAfterMs).toBe(Infinity);
    });

    it('given as many at once as may run, then the next waits until one ends', async () => {
      const { book, settled } = await open();
      const [id, limits] = [tenant(), of({ concurrentRequests: 2 })];
      const first = asks(id, limits);
      await allowed(book, first);
      await allowed(book, asks(id, limits));
      expect(refused(await book.begin(asks(id, limits)))).toMatchObject({ name: 'concurrentRequests', used: 2 });
      book.settle(first, spent(0, 0));
      await settled();
      await allowed(book, asks(id, limits));
      await allowed(book, asks(tenant(), limits)); // of another tenant
    });

    it('given a quota, then slices cover the answer to its last token, and not one more', async () => {
      const { book, settled } = await open();
      const [id, limits] = [tenant(), of({ tokensPerDay: 40, tokensPerMonth: 1_000 })];
      const request = asks(id, limits);
      expect(await allowed(book, request)).toBe(16);
      expect(await book.extend(request, 17, 24)).toEqual({ kind: 'covered', coveredTokens: 24 });
      expect(await book.extend(request, 20, 20)).toEqual({ kind: 'covered', coveredTokens: 24 });
      expect(await book.extend(request, 25, 40)).toEqual({ kind: 'covered', coveredTokens: 30 });
      expect(await book.extend(request, 31, 48)).toMatchObject({
        ...{ kind: 'refused', refusal: { name: 'tokensPerDay', limit: 40, used: 40, asked: 1 } },
      });
      expect(refused(await book.begin(asks(id, limits)))).toMatchObject({ name: 'tokensPerDay', used: 40, asked: 11 });
      book.settle(request, spent(10, 19));
      await settled();
      expect(await allowed(book, asks(id, limits, { sliceTokens: 1 }))).toBe(1);
      const late = refused(await book.begin(asks(id, limits)));
      expect(late).toMatchObject({ name: 'tokensPerDay', used: 40 });
    });

    it.each([{ tokensPerDay: 60 }, { costMicrosPerDay: 3.4 }] satisfies Limits[])(
      'given %o, when an answer is refused more, then what others hold is waited for and what it holds itself is not',
      async (quota) => {
        const { book, settled } = await open();
        const [id, limits] = [tenant(), of(quota)];
        const [first, other] = [asks(id, limits, { sliceTokens: 24 }), asks(id, limits)];
        await allowed(book, first); // 34 tokens, 2,600 billionths
        await allowed(book, other); // 26 tokens; 800 billionths for the prompt and 6 tokens
        const waitMs = async () => {
          const decision = await book.extend(first, 25, 40);
          return decision.kind === 'refused' ? decision.refusal.retryAfterMs : 0;
        };
        expect(await waitMs()).toBe(1_000);
        book.settle(other, spent(0, 0));
        await settled();
        const { coveredTokens } = (await book.extend(first, 25, 1_000)) as { coveredTokens: number };
        const last = await book.extend(first, coveredTokens + 1, 1_000);
        if (last.kind !== 'refused') throw new Error('expected a refusal');
        expect(last.refusal.retryAfterMs).toBeLessThanOrEqual(86_400_000);
        expect(new Date(Date.now() + last.refusal.retryAfterMs + 1_000).getUTCHours()).toBe(0); // until midnight
      },
    );

    it('given a quota that is used up, then it comes back with the next day', async () => {
      const { book, settled } = await open();
      const [id, limits] = [tenant(), of({ tokensPerDay: 26 })];
      const request = asks(id, limits);
      await allowed(book, request);
      book.settle(request, spent(10, 16));
      await settled();
      const late = refused(await book.begin(asks(id, limits)));
      expect(late.retryAfterMs).toBeLessThanOrEqual(86_400_000);
      expect(refused(await book.begin(asks(id, limits, { promptTokens: 26 }))).retryAfterMs).toBe(Infinity);
    });

    it('given a budget, then prompts count at their full price until it is known what a cache had', async () => {
      const { book, settled } = await open();
      const [id, limits] = [tenant(), of({ costMicrosPerMonth: 2 })]; // 2,000 billionths
      const request = asks(id, limits);
      expect(await allowed(book, request)).toBe(16); // 200 + 1,600
      expect(await book.extend(request, 17, 32)).toEqual({ kind: 'covered', coveredTokens: 18 });
      book.settle(request, spent(10, 15, 8)); // 2 × 20 + 8 × 5 + 15 × 100
      const [entry] = await settled();
      expect(entry).toMatchObject({ id: request.id, tenantId: id, keyId: 'key', modelId: 'model', costNanos: 1_580 });
      expect(entry).toMatchObject({ promptTokens: 10, cachedTokens: 8, completionTokens: 15, outcome: 'answered' });
      expect(await allowed(book, asks(id, limits))).toBe(2); // 420 - 200
      expect(refused(await book.begin(asks(id, limits)))).toMatchObject({ name: 'costMicrosPerMonth', limit: 2 });
    });

    it('given a refusal by one subject, then the others are not charged', async () => {
      const { book } = await open();
      const id = tenant();
      const wide = { id: 'all', limits: { tokensPerMinute: 250, concurrentRequests: 2, tokensPerDay: 60 } };
      const narrow = { id: 'key', limits: { tokensPerDay: 5 } };
      for (let i = 0; i < 5; i++) expect((await book.begin(asks(id, [wide, narrow]))).isAllowed).toBe(false);
      expect((await book.begin(asks(id, [wide]))).tokens?.remaining).toBe(140);
      expect(await allowed(book, asks(id, [wide]))).toBe(16);
    });

    it('given a reservation that ended or that nobody knows, when extended, then it has lapsed', async () => {
      const { book, settled } = await open();
      const request = asks(tenant(), of({}));
      await allowed(book, request);
      book.settle(request, spent(10, 1));
      await settled();
      expect(await book.extend(request, 17, 32)).toEqual({ kind: 'lapsed' });
    });

    it('given requests without limits, then the ledger is told of each once, also of those that used nothing', async () => {
      const { book, settled } = await open();
      const request = asks(tenant(), []);
      expect(await allowed(book, request)).toBe(16);
      expect(await book.extend(request, 100, 100)).toEqual({ kind: 'covered', coveredTokens: 100 });
      book.settle(request, { ...spent(0, 0), outcome: 'ended-early' });
      book.settle(request, spent(10, 100));
      expect(await settled()).toMatchObject([{ id: request.id, completionTokens: 0, outcome: 'ended-early' }]);
    });

    it('given any requests, then the budget is never passed, and refused is only what does not fit', () =>
      fc.assert(
        fc.asyncProperty(fc.array(step(), { maxLength: 40 }), async (steps) => {
          const { book, settled } = await open();
          const [id, limit] = [tenant(), 60];
          const live: { request: Reservation; covered: number }[] = [];
          let settledTokens = 0;
          const left = () =>
            limit - settledTokens - live.reduce((sum, one) => sum + one.request.promptTokens + one.covered, 0);
          for (const { kind, size, pick } of steps) {
            const one = live[pick % Math.max(1, live.length)];
            if (kind === 'begin') {
              const request = asks(id, of({ tokensPerDay: limit }), { promptTokens: size, sliceTokens: 4 });
              const decision = await book.begin(request);
              expect(decision.isAllowed).toBe(left() >= size + 1);
              if (!decision.isAllowed) continue;
              expect(decision.coveredTokens).toBe(Math.min(4, left() - size));
              live.push({ request, covered: decision.coveredTokens });
            } else if (one === undefined) {
              continue;
            } else if (kind === 'extend') {
              const most = one.covered + size;
              const decision = await book.extend(one.request, one.covered + 1, most);
              if (left() < 1) {
                expect(decision.kind).toBe('refused');
                continue;
              }
              const coveredTokens = one.covered + Math.min(size, left());
              expect(decision).toEqual({ kind: 'covered', coveredTokens });
              one.covered = coveredTokens;
            } else {
              const completion = Math.min(one.covered, size);
              live.splice(live.indexOf(one), 1);
              book.settle(one.request, spent(one.request.promptTokens, completion));
              await settled();
              settledTokens += one.request.promptTokens + completion;
            }
            expect(left()).toBeGreaterThanOrEqual(0);
          }
          for (const { request } of live.splice(0)) book.settle(request, spent(0, 0));
          await settled();
          const rest = await book.begin(asks(id, of({ tokensPerDay: limit }), { promptTokens: 0, sliceTokens: 100 }));
          expect(rest.isAllowed ? rest.coveredTokens : 0).toBe(left());
        }),
        { numRuns: 50 },
      ));
  });
}

function step() {
  return fc.record({
    kind: fc.constantFrom('begin', 'extend', 'settle'),
    size: fc.integer({ min: 1, max: 20 }),
    pick: fc.nat(20),
  });
}
