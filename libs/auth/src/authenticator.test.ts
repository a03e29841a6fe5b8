import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '#lib/database';
import { ApiKeyStrategy } from './api-key-strategy.js';
import { Authenticator } from './authenticator.js';
import { AuthenticationError } from './errors.js';
import { FailureThrottle } from './failure-throttle.js';
import { IdentityDirectory } from './identity-directory.js';
import { IdentityStore } from './identity-store.js';
import { KeyUsage } from './key-usage.js';

const ACTOR = { name: 'test', address: '' };
const HOUR_MS = 3_600_000;
const nothing = { authorization: undefined, certificateNames: [] };

let database: Database;
let store: IdentityStore;
let directory: IdentityDirectory;
let usage: KeyUsage;
let authenticator: Authenticator;
let at = { ms: 0 };
let queries = 0;
let text = '';
let keyId = '';

beforeEach(async () => {
  at = { ms: 0 };
  database = await openDatabase('sqlite::memory:');
  store = new IdentityStore(database);
  await store.tenants.create({ id: 'acme', name: 'Acme' }, ACTOR);
  await store.tenants.createAccount({ tenantId: 'acme', name: 'bot', roles: ['user'] }, ACTOR);
  ({
    text,
    key: { id: keyId },
  } = await newKey());
  const counted = new Proxy(store, {
    get: (target, property) => {
      queries++;
      return target[property as keyof IdentityStore];
    },
  });
  directory = new IdentityDirectory(counted, {
    ...{ entries: 100, refreshIntervalMs: 1_000, outageGraceMs: 60_000, now: () => at.ms },
  });
  usage = new KeyUsage(store, (error) => expect.unreachable(String(error)));
  const throttle = new FailureThrottle({ freeFailures: 3, now: () => at.ms });
  authenticator = new Authenticator([new ApiKeyStrategy(directory, usage)], throttle);
  await directory.sync();
});
afterEach(async () => {
  directory.close();
  await database.destroy().catch(() => {}); // a test may have closed it
});

const newKey = (expiresAtMs?: number) =>
  store.keys.create({ tenantId: 'acme', accountName: 'bot', scopes: ['inference'], expiresAtMs }, ACTOR);
const ask = (token: string, address = '10.0.0.1') =>
  authenticator.authenticate({ authorization: `Bearer ${token}`, certificateNames: [], address });
const failureOf = async (work: Promise<unknown>) => {
  const error = await work.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(AuthenticationError);
  return (error as AuthenticationError).failure;
};

describe('the authenticator with keys', () => {
  it('given a good key, then its principal comes, and from the second time on without the database', async () => {
    const { cacheSalt } = (await store.tenants.find('acme')) as { cacheSalt: string };
    const expected = {
      kind: 'api-key',
      tenantId: 'acme',
      subject: 'bot',
      keyId,
      keyLineageId: keyId,
      roles: ['user'],
      scopes: ['inference'],
    };
    expect(await ask(text)).toEqual({ ...expected, cacheSalt });
    const before = queries;
    for (let i = 0; i < 100; i++) await ask(text);
    expect(queries).toBe(before);
  });

  it('given a key that was used, when flushed, then the last use is written', async () => {
    await ask(text);
    await usage.flush();
    expect((await store.keys.find(keyId))?.lastUsedAtMs).toBeGreaterThan(0);
  });

  it('given nothing, or no bearer token, or one that is not good, then they are told apart inside only', async () => {
    const none = authenticator.authenticate({ ...nothing, address: 'a' });
    expect(await failureOf(none)).toBe('missing');
    const basic = authenticator.authenticate({ ...nothing, authorization: 'Basic abc', address: 'a' });
    expect(await failureOf(basic)).toBe('invalid');
    expect(await failureOf(ask(`${text.slice(0, -3)}AAA`))).toBe('invalid');
    expect(await failureOf(ask('sk-something'))).toBe('invalid');
  });

  it('given keys that expired, were revoked, or are of a suspended tenant, then they are not good', async () => {
    expect(await failureOf(ask((await newKey(Date.now() - 1)).text))).toBe('invalid');
    expect((await ask((await newKey(Date.now() + HOUR_MS)).text)).tenantId).toBe('acme');
    await store.keys.revoke('acme', keyId, 0, ACTOR);
    await directory.sync();
    expect(await failureOf(ask(text))).toBe('invalid');
    const other = await newKey();
    await ask(other.text);
    await store.tenants.setState('acme', 'suspended', ACTOR);
    await directory.sync();
    expect(await failureOf(ask(other.text))).toBe('invalid');
  });

  it('given a change through the same store, then what was kept is forgotten at once', async () => {
    await ask(text);
    await store.keys.revoke('acme', keyId, 0, ACTOR);
    expect(await failureOf(ask(text))).toBe('invalid');
  });

  it('given a change elsewhere, when not synced yet, then what is kept holds; after the sync it is gone', async () => {
    await ask(text);
    await new IdentityStore(database).keys.revoke('acme', keyId, 0, ACTOR);
    expect((await ask(text)).keyId).toBe(keyId);
    await directory.sync();
    expect(await failureOf(ask(text))).toBe('invalid');
  });

  it('given a key that was unknown, when it is made, then it is good after the next sync', async () => {
    const made = await newKey();
    await database.deleteFrom('apiKeys').where('id', '=', made.key.id).execute();
    expect(await failureOf(ask(made.text))).toBe('invalid');
    const asked = queries;
    expect(await failureOf(ask(made.text))).toBe('invalid');
    expect(queries).toBe(asked); // remembered as unknown
  });

  it('given guesses, then they never push a good key out of memory', async () => {
    await ask(text);
    for (let i = 0; i < 2_000; i++) {
      await directory.key(`guess-${String(i).padStart(6, '0')}`);
    }
    const before = queries;
    await ask(text);
    expect(queries).toBe(before);
  });
});

describe('the authenticator against guessing', () => {
  const guess = `hydra_abcdefghijkl_${'x'.repeat(43)}`;

  it('given failures beyond the free ones, then the address waits and asks no database; others do not wait', async () => {
    for (let i = 0; i < 4; i++) expect(await failureOf(ask(guess))).toBe('invalid');
    const before = queries;
    expect(await failureOf(ask(`hydra_zzzzzzzzzzzz_${'x'.repeat(43)}`))).toBe('slowed');
    expect(await failureOf(ask(text))).toBe('slowed'); // never seen before: a lucky guess is told nothing
    expect(queries).toBe(before);
    expect((await ask(text, '10.0.0.2')).keyId).toBe(keyId);
    at.ms += 1_000;
    expect((await ask(text)).keyId).toBe(keyId);
  });

  it('given a key in use, when a neighbour at its address guesses, then the key goes on', async () => {
    await ask(text);
    for (let i = 0; i < 10; i++) await failureOf(ask(guess));
    expect(await failureOf(ask(guess))).toBe('slowed');
    expect((await ask(text)).keyId).toBe(keyId);
  });

  it('given a key in use at an address that is slowed, when something changes here or elsewhere, then the key goes on, unless it was revoked', async () => {
    const other = await newKey();
    for (const token of [text, other.text]) await ask(token);
    for (let i = 0; i < 10; i++) await failureOf(ask(guess));
    await store.tenants.create({ id: 'elsewhere', name: 'x' }, ACTOR);
    expect((await ask(text)).keyId).toBe(keyId);
    await new IdentityStore(database).keys.revoke('acme', other.key.id, 0, ACTOR);
    await directory.sync();
    expect((await ask(text)).keyId).toBe(keyId);
    expect(await failureOf(ask(other.text))).toBe('slowed'); // as any other that is not good
    const before = queries;
    for (let i = 0; i < 10; i++) await ask(text);
    expect(queries).toBe(before);
    expect(await failureOf(ask(`hydra_zzzzzzzzzzzz_${'x'.repeat(43)}`))).toBe('slowed');
    expect(queries).toBe(before);
  });

  it('given requests without a credential, then nobody waits for them', async () => {
    for (let i = 0; i < 10; i++) await failureOf(authenticator.authenticate({ ...nothing, address: 'a' }));
    expect((await ask(text, 'a')).keyId).toBe(keyId);
  });
});

describe('the authenticator without its database', () => {
  it('given a key in memory, then it is good for the time of grace; a key that is not cannot be checked', async () => {
    const other = await newKey();
    await ask(text);
    await database.destroy();
    await directory.sync();
    at.ms += 60_000;
    expect((await ask(text)).keyId).toBe(keyId);
    expect(await failureOf(ask(other.text))).toBe('unavailable');
    at.ms += 1_001;
    expect(await failureOf(ask(text))).toBe('unavailable');
  });
});
