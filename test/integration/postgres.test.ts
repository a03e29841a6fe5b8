import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeIdentityStore } from '../../libs/auth/src/identity-store.conformance.js';
import { openDatabase } from '../../libs/database/src/index.js';
import { describeUsageLedger } from '../../libs/ledger/src/usage-ledger.conformance.js';
import { type RunningPostgres, startPostgres } from './support/postgres.js';

let postgres: RunningPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres?.stop());

describeIdentityStore('PostgreSQL', async () => openDatabase(await postgres.createDatabase()));
describeUsageLedger('PostgreSQL', async () => openDatabase(await postgres.createDatabase()));

describe('a new PostgreSQL database', () => {
  it('given several processes that open it at once, then each has the tables', async () => {
    const url = await postgres.createDatabase();
    const opened = await Promise.all(Array.from({ length: 5 }, () => openDatabase(url)));
    for (const database of opened) {
      expect(await database.selectFrom('tenants').selectAll().execute()).toEqual([]);
    }
    await Promise.all(opened.map((database) => database.destroy()));
  });
});
