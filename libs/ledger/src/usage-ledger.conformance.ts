import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '#lib/database';
import type { UsageEntry } from '#lib/limits';
import { UsageLedger } from './usage-ledger.js';

const DAY_MS = 86_400_000;
const NOVEMBER_DAY = Date.UTC(2026, 10, 30) / DAY_MS;
const NOW_MS = (NOVEMBER_DAY + 0.5) * DAY_MS;

/** What holds of the ledger on every database. @param open  an empty database with its tables */
export function describeUsageLedger(name: string, open: () => Promise<Database>): void {
  describe(`the usage ledger on ${name}`, () => {
    let database: Database;
    let ledger: UsageLedger;
    let ids = 0;
    const entry = (some: Partial<UsageEntry> = {}): UsageEntry => ({
      ...{ id: `answer-${ids++}`, tenantId: 'acme', keyId: 'key', modelId: 'model', requestId: 'request' },
      ...{ promptTokens: 10, cachedTokens: 4, completionTokens: 5, costNanos: 1_000, outcome: 'answered' },
      atMs: NOW_MS,
      ...some,
    });
    const whole = { fromDay: 0, toDay: NOVEMBER_DAY, by: [], limit: 100 };
    beforeEach(async () => {
      database = await open();
      ledger = new UsageLedger(database);
    });
    afterEach(() => database.destroy());

    it('given entries that are told again, also at once, then each counts once', async () => {
      const entries = Array.from({ length: 1_200 }, () => entry());
      await Promise.all([ledger.append(entries), ledger.append(entries.toReversed())]);
      await ledger.append(entries.map((one) => ({ ...one, completionTokens: 999 })));
      expect(await ledger.sums(whole)).toEqual([
        {
          ...{ requests: 1_200, promptTokens: 12_000, cachedTokens: 4_800, completionTokens: 6_000 },
          costNanos: 1_200_000,
        },
      ]);
    });

    it('given nothing, then sums are zero', async () => {
      expect(await ledger.sums(whole)).toEqual([
        { requests: 0, promptTokens: 0, cachedTokens: 0, completionTokens: 0, costNanos: 0 },
      ]);
      expect(await ledger.sums({ ...whole, by: ['tenant'] })).toEqual([]);
    });

    it('given entries of many, then they are summed by what is asked, in order, within scope and days', async () => {
      const yesterdayMs = NOW_MS - DAY_MS;
      await ledger.append([
        entry({ keyId: 'b' }),
        entry({ keyId: 'a', atMs: yesterdayMs }),
        entry({ keyId: 'a', modelId: 'other', costNanos: 5 }),
        entry({ keyId: 'a', costNanos: 7 }),
        entry({ tenantId: 'other', atMs: NOW_MS - 40 * DAY_MS }),
      ]);
      const byKey = await ledger.sums({ ...whole, tenantId: 'acme', by: ['key', 'day'] });
      expect(byKey).toMatchObject([
        { keyId: 'a', day: NOVEMBER_DAY - 1, requests: 1, costNanos: 1_000 },
        { keyId: 'a', day: NOVEMBER_DAY, requests: 2, costNanos: 12, promptTokens: 20 },
        { keyId: 'b', day: NOVEMBER_DAY, requests: 1 },
      ]);
      expect(await ledger.sums({ ...whole, tenantId: 'acme', by: ['key', 'day'], limit: 2 })).toEqual(
        byKey.slice(0, 2),
      );
      expect(await ledger.sums({ ...whole, fromDay: NOVEMBER_DAY, by: ['tenant', 'model'] })).toMatchObject([
        { tenantId: 'acme', modelId: 'model', requests: 2 },
        { tenantId: 'acme', modelId: 'other', requests: 1 },
      ]);
      expect(await ledger.sums({ ...whole, keyId: 'a', modelId: 'model' })).toMatchObject([{ requests: 2 }]);
    });

    it('given keys that came of each other by rotation, then what counts for their limits is the use of all', async () => {
      const createdAtMs = NOW_MS;
      await database
        .insertInto('tenants')
        .values({ id: 'acme', name: 'acme', state: 'active', cacheSalt: '', createdAtMs })
        .execute();
      const account = { id: 'bot', tenantId: 'acme', name: 'bot', rolesJson: '[]', createdAtMs };
      await database.insertInto('serviceAccounts').values(account).execute();
      const unused = { expiresAtMs: null, revokedAtMs: null, lastUsedAtMs: null };
      const keyOf = (id: string, lineageId: string) => ({
        ...{ id, lineageId, tenantId: 'acme', accountId: 'bot', hash: '', scopesJson: '[]', createdAtMs, ...unused },
      });
      const keys = [keyOf('first', 'first'), keyOf('next', 'first'), keyOf('stranger', 'stranger')];
      await database.insertInto('apiKeys').values(keys).execute();
      await ledger.append(keys.map(({ id }) => entry({ keyId: id })));
      expect((await ledger.used({ tenantId: 'acme', keyId: 'first' }, NOW_MS)).day.tokens).toBe(30);
      expect((await ledger.used({ tenantId: 'acme', keyId: 'stranger' }, NOW_MS)).day.tokens).toBe(15);
      expect(await ledger.sums({ ...whole, keyId: 'first' })).toMatchObject([{ requests: 1 }]);
    });

    it('given entries of today, this month and before, then what counts for limits is told apart', async () => {
      await ledger.append([
        entry(),
        entry({ atMs: NOW_MS - 5 * DAY_MS, costNanos: 9_000_000_000_000_000 }),
        entry({ atMs: NOW_MS - 31 * DAY_MS }),
        entry({ tenantId: 'other' }),
        entry({ modelId: 'other' }),
      ]);
      expect(await ledger.used({ tenantId: 'acme', modelId: 'model' }, NOW_MS)).toEqual({
        day: { tokens: 15, nanos: 1_000 },
        month: { tokens: 30, nanos: 9_000_000_000_001_000 },
      });
    });
  });
}
