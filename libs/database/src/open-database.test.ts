import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DatabaseUnusableError, openDatabase } from './open-database.js';

const folder = () => mkdtempSync(join(tmpdir(), 'hydra-database-'));
const revision = (value: number) => ({ name: 'identity', value });

it('given a file of an earlier run, when opened again, then what was written is there', async () => {
  const path = join(folder(), 'private', 'hydra.db');
  const earlier = await openDatabase(`sqlite:${path}`);
  await earlier.insertInto('revisions').values(revision(3)).execute();
  await earlier.destroy();
  const later = await openDatabase(`sqlite:${path}`);
  expect(await later.selectFrom('revisions').selectAll().execute()).toEqual([revision(3)]);
  await later.destroy();
  expect(statSync(join(path, '..')).mode & 0o077).toBe(0);
});

it('given a transaction that throws, when another follows, then nothing of the first is left', async () => {
  const database = await openDatabase('sqlite::memory:');
  const broken = database.transaction().execute(async (change) => {
    await change.insertInto('revisions').values(revision(1)).execute();
    throw new Error('no');
  });
  const whole = database
    .transaction()
    .execute((change) => change.insertInto('revisions').values(revision(2)).execute());
  await expect(broken).rejects.toThrow('no');
  await whole;
  expect(await database.selectFrom('revisions').selectAll().execute()).toEqual([revision(2)]);
  await database.destroy();
});

it('given what is no database, when opened, then one sentence says so without the password of the URL', async () => {
  const path = join(folder(), 'hydra.db');
  writeFileSync(path, 'this is no database, but long enough to be looked at as one'.repeat(20));
  for (const url of [
    `sqlite:${path}`,
    'postgres://someone:hunter2@127.0.0.1:1/hydra',
    'mysql://someone:hunter2@localhost/hydra',
  ]) {
    const error = await openDatabase(url).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DatabaseUnusableError);
    expect((error as Error).message).toContain('database.url');
    expect((error as Error).message).not.toContain('hunter2');
  }
});
