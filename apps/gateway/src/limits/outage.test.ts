import { expect, it } from 'vitest';
import { LimitBook, LimitsUnavailableError, MemoryLimitBook, type Reservation, type UsageEntry } from '#lib/limits';
import { OutageBook, OutagePolicy, OutageWindows } from './outage.js';
import { MemoryRequestWindows } from './request-windows.js';

/** A book in memory that can be out of reach. */
class RemoteBook extends LimitBook {
  isAway = false;
  readonly book = new MemoryLimitBook(Date.now, () => {});

  begin(reservation: Reservation) {
    if (this.isAway) throw new LimitsUnavailableError('away');
    return this.book.begin(reservation);
  }

  extend(reservation: Reservation, least: number, most: number) {
    if (this.isAway) throw new LimitsUnavailableError('away');
    return this.book.extend(reservation, least, most);
  }

  settle(...of: Parameters<LimitBook['settle']>) {
    this.book.settle(...of);
  }
}

function open(share: number | undefined) {
  const decisions: string[] = [];
  const policy = new OutagePolicy(
    () => share,
    (decision) => decisions.push(decision),
  );
  const shared = new RemoteBook();
  const entries: UsageEntry[] = [];
  const local = new MemoryLimitBook(Date.now, (entry) => entries.push(entry));
  return { shared, entries, decisions, policy, book: new OutageBook(shared, local, policy) };
}

const asks = (id: string): Reservation => ({
  ...{ id, tenantId: 'acme', subjects: [{ id: 'all', limits: { tokensPerDay: 200 } }] },
  price: { input: 0, cachedInput: 0, output: 0 },
  ...{ promptTokens: 5, outputTokens: 50, leastOutputTokens: 1, sliceTokens: 10 },
  about: { keyId: '', modelId: 'model', requestId: '' },
});
const used = { promptTokens: 5, cachedTokens: 0, completionTokens: 15, outcome: 'answered' } as const;

it('given a policy that is closed, when what is shared is away, then nothing begins, and it is told', async () => {
  const { shared, book, decisions } = open(undefined);
  shared.isAway = true;
  await expect(book.begin(asks('a'))).rejects.toThrow(LimitsUnavailableError);
  shared.isAway = false;
  expect(await book.begin(asks('b'))).toMatchObject({ isAllowed: true });
  expect(decisions).toEqual(['refused']);
});

it('given a policy that is local, when what is shared is away, then a share of the limits is given, to the token', async () => {
  const { shared, book, decisions, entries } = open(0.1); // 20 of 200
  const before = asks('before');
  await book.begin(before);
  shared.isAway = true;
  const during = asks('during');
  expect(await book.begin(during)).toMatchObject({ isAllowed: true, coveredTokens: 10 });
  expect(() => book.extend(before, 11, 20)).toThrow(LimitsUnavailableError);
  expect(await book.extend(during, 11, 20)).toEqual({ kind: 'covered', coveredTokens: 15 });
  expect(await book.extend(during, 16, 20)).toMatchObject({ kind: 'refused', refusal: { limit: 20 } });
  shared.isAway = false;
  expect(await book.extend(before, 11, 20)).toEqual({ kind: 'covered', coveredTokens: 20 });
  book.settle(during, used); // where it began
  expect(entries).toMatchObject([{ id: 'during', completionTokens: 15 }]);
  expect(shared.book.liveCount).toBe(1);
  shared.isAway = true;
  expect(await book.begin(asks('late'))).toMatchObject({ isAllowed: false, used: 20 });
  expect(decisions).toEqual(['counted-locally', 'counted-locally']);
});

it('given requests by the minute, then the same policy holds', async () => {
  const away = { increment: () => Promise.reject(new Error('away')) };
  const increment = (windows: OutageWindows) => windows.increment('acme/all', 60_000, 20, 0, 'requests');
  await expect(increment(new OutageWindows(away, new MemoryRequestWindows(), open(undefined).policy))).rejects.toThrow(
    LimitsUnavailableError,
  );
  const local = new OutageWindows(away, new MemoryRequestWindows(), open(0.1).policy);
  const all = [await increment(local), await increment(local), await increment(local)];
  expect(all.map(({ isBlocked }) => isBlocked)).toEqual([false, false, true]);
});
