import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '#lib/database';
import { parseApiKey } from './api-key.js';
import { AdministrationError } from './errors.js';
import { IdentityStore } from './identity-store.js';
import { isGood } from './key-store.js';
import { idOfLimits } from './limit-store.js';
import type { ListPart } from './list-part.js';
import type { Tenant } from './tenant-store.js';

const ACTOR = { name: 'key:abc', address: '10.0.0.7' };
const HOUR_MS = 3_600_000;

/** What holds of the store on every database. @param open  an empty database with its tables */
export function describeIdentityStore(name: string, open: () => Promise<Database>): void {
  describe(`the identity store on ${name}`, () => {
    let database: Database;
    let store: IdentityStore;
    let nowMs = 1_800_000_000_000;
    const reason = async (work: Promise<unknown>) => {
      const error = await work.catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(AdministrationError);
      return (error as AdministrationError).reason;
    };
    const createKey = async (tenantId = 'acme', expiresAtMs?: number) =>
      store.keys.create({ tenantId, accountName: 'bot', scopes: ['inference'], expiresAtMs }, ACTOR);
    beforeEach(async () => {
      database = await open();
      store = new IdentityStore(database, () => nowMs++);
      for (const id of ['acme', 'other']) {
        await store.tenants.create({ id, name: id }, ACTOR);
        await store.tenants.createAccount({ tenantId: id, name: 'bot', roles: ['user'] }, ACTOR);
      }
    });
    afterEach(() => database.destroy());

    it('given tenants, when listed, then each has a salt of its own and its state', async () => {
      const [acme, other] = await store.tenants.list();
      expect(acme).toMatchObject({ id: 'acme', state: 'active', createdAtMs: expect.any(Number) });
      expect(acme?.cacheSalt).toMatch(/^[0-9a-f]{32}$/);
      expect(acme?.cacheSalt).not.toBe(other?.cacheSalt);
      await store.tenants.setState('acme', 'suspended', ACTOR);
      expect((await store.tenants.find('acme'))?.state).toBe('suspended');
    });

    it('given names that are taken or unknown, then the refusal says which', async () => {
      expect(await reason(store.tenants.create({ id: 'acme', name: 'x' }, ACTOR))).toBe('conflict');
      expect(await reason(store.tenants.setState('nobody', 'active', ACTOR))).toBe('not-found');
      const account = (tenantId: string) => store.tenants.createAccount({ tenantId, name: 'bot', roles: [] }, ACTOR);
      expect(await reason(account('acme'))).toBe('conflict');
      expect(await reason(account('nobody'))).toBe('not-found');
      expect(await reason(createKey('nobody'))).toBe('not-found');
      expect(await reason(store.policies.delete('acme', 'nothing', ACTOR))).toBe('not-found');
    });

    it('given a key, when looked up by its id, then its hash is that of the text, which stands nowhere', async () => {
      const { key, text } = await createKey('acme', nowMs + HOUR_MS);
      const presented = parseApiKey(text);
      expect(presented?.id).toBe(key.id);
      const found = await store.keys.find(key.id);
      expect(found).toEqual({ ...key, hash: presented?.hash });
      expect(found).toMatchObject({ tenantId: 'acme', accountName: 'bot', roles: ['user'], scopes: ['inference'] });
      expect(await store.keys.list('acme')).toEqual([key]);
      expect(await store.keys.list('other')).toEqual([]);
      const everything = JSON.stringify([
        await database.selectFrom('apiKeys').selectAll().execute(),
        await database.selectFrom('auditLog').selectAll().execute(),
      ]);
      expect(everything).not.toContain(text.slice(-43));
    });

    it('given a key, when it expires or is revoked, then it is not good from then on', async () => {
      const { key } = await createKey('acme', nowMs + HOUR_MS);
      expect(isGood(key, nowMs)).toBe(true);
      expect(isGood(key, nowMs + HOUR_MS)).toBe(false);
      await store.keys.revoke('acme', key.id, 0, ACTOR);
      expect(isGood((await store.keys.find(key.id)) as typeof key, nowMs)).toBe(false);
      expect(await reason(store.keys.revoke('other', key.id, 0, ACTOR))).toBe('not-found');
    });

    it('given a rotation, then both keys are good for the overlap, and the old one not longer than it was', async () => {
      const { key } = await createKey();
      const { key: next } = await store.keys.rotate('acme', key.id, HOUR_MS, ACTOR);
      const old = (await store.keys.find(key.id)) as typeof key;
      expect([isGood(old, nowMs), isGood(next, nowMs)]).toEqual([true, true]);
      expect([isGood(old, nowMs + HOUR_MS), isGood(next, nowMs + HOUR_MS)]).toEqual([false, true]);
      expect({ ...next, id: '', createdAtMs: 0 }).toEqual({ ...key, id: '', createdAtMs: 0 });
      await store.keys.revoke('acme', key.id, 2 * HOUR_MS, ACTOR);
      expect(((await store.keys.find(key.id)) as typeof key).revokedAtMs).toBe(old.revokedAtMs);
      await store.keys.revoke('acme', key.id, 0, ACTOR);
      expect(await reason(store.keys.rotate('acme', key.id, HOUR_MS, ACTOR))).toBe('conflict');
      expect(await reason(store.keys.rotate('other', next.id, HOUR_MS, ACTOR))).toBe('not-found');
    });

    it('given uses, when written down out of order, then the last one stays', async () => {
      const { key } = await createKey();
      await store.keys.touch(new Map([[key.id, 2_000]]));
      await store.keys.touch(new Map([[key.id, 1_000]]));
      expect((await store.keys.find(key.id))?.lastUsedAtMs).toBe(2_000);
    });

    it('given policies of tenants and of all, when listed for a tenant, then its own and the common ones come', async () => {
      const policy = { role: 'intern', actions: ['use' as const], models: ['small-*'], caps: { maxTokens: 100 } };
      const own = await store.policies.create({ ...policy, tenantId: 'acme' }, ACTOR);
      const common = await store.policies.create({ ...policy, tenantId: undefined }, ACTOR);
      await store.policies.create({ ...policy, tenantId: 'other' }, ACTOR);
      expect(await store.policies.list('acme')).toEqual([own, common]);
      expect(await reason(store.policies.delete('acme', common.id, ACTOR))).toBe('not-found');
      await store.policies.delete(undefined, common.id, ACTOR);
      expect(await store.policies.list('acme')).toEqual([own]);
    });

    it('given limits of a tenant, a key and a model, when set again or taken away, then the last word counts', async () => {
      const { key } = await createKey();
      const tenantAs = { keyId: undefined, modelId: undefined };
      const keyAs = { keyId: key.id, modelId: undefined };
      const modelAs = { keyId: undefined, modelId: 'org/model' };
      await store.limits.set('acme', { ...keyAs, limits: { requestsPerMinute: 5 } }, ACTOR);
      await store.limits.set('acme', { ...tenantAs, limits: { tokensPerMinute: 100 } }, ACTOR);
      await store.limits.set('acme', { ...modelAs, limits: { costMicrosPerMonth: 1_000_000_000_000 } }, ACTOR);
      await store.limits.set('acme', { ...tenantAs, limits: { concurrentRequests: 2 } }, ACTOR);
      expect(await store.limits.list('acme')).toEqual([
        { ...tenantAs, limits: { concurrentRequests: 2 } },
        { ...modelAs, limits: { costMicrosPerMonth: 1_000_000_000_000 } },
        { ...keyAs, limits: { requestsPerMinute: 5 } },
      ]);
      await store.limits.set('acme', { ...keyAs, limits: {} }, ACTOR);
      await store.limits.set('acme', { ...modelAs, limits: {} }, ACTOR);
      expect(await store.limits.list('acme')).toEqual([{ ...tenantAs, limits: { concurrentRequests: 2 } }]);
      expect(await store.limits.list('other')).toEqual([]);
      expect(await reason(store.limits.set('other', { ...keyAs, limits: {} }, ACTOR))).toBe('not-found');
      expect(await reason(store.limits.set('nobody', { ...tenantAs, limits: {} }, ACTOR))).toBe('not-found');
    });

    it('given limits of a key, when it is rotated again and again, then they are those of all its successors', async () => {
      const { key } = await createKey();
      expect(key.lineageId).toBe(key.id);
      await store.limits.set('acme', { keyId: key.id, modelId: undefined, limits: { tokensPerDay: 20 } }, ACTOR);
      const { key: second } = await store.keys.rotate('acme', key.id, 0, ACTOR);
      const { key: third } = await store.keys.rotate('acme', second.id, HOUR_MS, ACTOR);
      expect([second.lineageId, third.lineageId]).toEqual([key.id, key.id]);
      expect((await store.keys.find(third.id))?.lineageId).toBe(key.id);
      const set = { keyId: third.id, modelId: undefined, limits: { tokensPerDay: 30 } };
      const stored = { ...set, keyId: key.id };
      expect(await store.limits.set('acme', set, ACTOR)).toEqual(stored);
      expect(await store.limits.list('acme')).toEqual([stored]);
      await database.updateTable('apiKeys').set({ lineageId: null }).where('id', '=', key.id).execute();
      expect((await store.keys.find(key.id))?.lineageId).toBe(key.id); // made by an earlier version
    });

    it('given a rotation, then it is one act; one that is refused leaves no key and no entry', async () => {
      const { key } = await createKey();
      const before = (await store.changes.audit('acme', { limit: 100 })).length;
      const { key: next } = await store.keys.rotate('acme', key.id, 0, ACTOR);
      const [entry, ...others] = await store.changes.audit('acme', { limit: 100 });
      expect(entry).toMatchObject({ action: 'key-rotate', target: key.id, details: { madeId: next.id } });
      expect(others).toHaveLength(before);
      const keys = (await store.keys.list('acme')).length;
      expect(await reason(store.keys.rotate('acme', key.id, 0, ACTOR))).toBe('conflict');
      expect(await store.keys.list('acme')).toHaveLength(keys);
      expect(await store.changes.audit('acme', { limit: 100 })).toHaveLength(before + 1);
    });

    it('given a service account, when its roles change, then those of its keys do; of none there is nothing to change', async () => {
      const { key } = await createKey();
      await store.tenants.setRoles('acme', 'bot', ['premium'], ACTOR);
      expect((await store.keys.find(key.id))?.roles).toEqual(['premium']);
      await store.tenants.setRoles('acme', 'bot', [], ACTOR);
      expect((await store.tenants.accounts('acme')).find(({ name }) => name === 'bot')?.roles).toEqual([]);
      expect(await reason(store.tenants.setRoles('acme', 'nobody', ['user'], ACTOR))).toBe('not-found');
    });

    it('given changes, then each moves the revision and is in the audit log; refused ones do neither', async () => {
      const before = await store.changes.revision();
      await createKey();
      await reason(store.tenants.create({ id: 'acme', name: 'x' }, ACTOR));
      expect(await store.changes.revision()).toBe(before + 1);
      const [last, ...earlier] = await store.changes.audit('acme', { limit: 10 });
      expect(last).toMatchObject({ actor: 'key:abc', address: '10.0.0.7', action: 'key-create', tenantId: 'acme' });
      expect(last?.details).toMatchObject({ accountName: 'bot', scopes: ['inference'] });
      expect(earlier.map(({ action }) => action)).toEqual(['account-create', 'tenant-create']);
      expect(await store.changes.audit('acme', { limit: 10, after: String(last?.id) })).toEqual(earlier);
      expect((await store.changes.audit(undefined, { limit: 10 })).length).toBe(5);
    });

    it('given a list, when read part by part, then each entry comes once and in order; after what is not there comes nothing', async () => {
      nowMs = 1_900_000_000_000;
      const frozen = new IdentityStore(database, () => nowMs); // ties are told apart by id
      const common = { role: 'user', actions: ['use'], models: ['*'], caps: {} } as const;
      for (let i = 0; i < 5; i++) {
        await frozen.tenants.create({ id: `t${i}`, name: 'x' }, ACTOR);
        await frozen.tenants.createAccount({ tenantId: 'acme', name: `a${i}`, roles: [] }, ACTOR);
        const { key } = await frozen.keys.create(
          { tenantId: 'acme', accountName: 'bot', scopes: [], expiresAtMs: undefined },
          ACTOR,
        );
        await frozen.policies.create({ ...common, ...(i % 2 === 0 && { tenantId: 'acme' }) }, ACTOR);
        const wish = { keyId: i === 4 ? undefined : key.id, modelId: i < 2 ? undefined : `m/${i}` };
        await frozen.limits.set('acme', { ...wish, limits: { tokensPerDay: 1 } }, ACTOR);
      }
      const lists: [(part: ListPart) => Promise<readonly unknown[]>, (entry: never) => string][] = [
        [(part) => frozen.tenants.list(part), ({ id }: Tenant) => id],
        [(part) => frozen.tenants.accounts('acme', part), ({ id }: Tenant) => id],
        [(part) => frozen.keys.list('acme', part), ({ id }: Tenant) => id],
        [(part) => frozen.policies.list('acme', part), ({ id }: Tenant) => id],
        [(part) => frozen.limits.list('acme', part), idOfLimits],
        [(part) => frozen.changes.audit('acme', part), ({ id }: Tenant) => id],
      ];
      for (const [list, idOf] of lists) {
        const whole = await list({});
        expect(whole.length).toBeGreaterThanOrEqual(5);
        const parts: unknown[] = [];
        for (let part = await list({ limit: 2 }); part.length > 0; ) {
          expect(part.length).toBeLessThanOrEqual(2);
          parts.push(...part);
          part = await list({ limit: 2, after: idOf(part.at(-1) as never) });
        }
        expect(parts).toEqual(whole);
        expect(await reason(list({ after: 'nothing' }))).toBe('not-found');
      }
      const [foreign] = await frozen.tenants.accounts('other');
      expect(await reason(frozen.tenants.accounts('acme', { after: String(foreign?.id) }))).toBe('not-found');
    });

    it('given nulls that an earlier version stored, then they are read as what is absent', async () => {
      const { key } = await createKey();
      await database.updateTable('apiKeys').set({ scopesJson: 'null' }).where('id', '=', key.id).execute();
      expect((await store.keys.find(key.id))?.scopes).toEqual([]);
      const keyId = key.id;
      await store.limits.set('acme', { keyId, modelId: undefined, limits: { tokensPerDay: 1 } }, ACTOR);
      await database.updateTable('limits').set({ limitsJson: '{"tokensPerDay":null,"tokensPerMinute":5}' }).execute();
      expect((await store.limits.list('acme'))[0]?.limits).toEqual({ tokensPerMinute: 5 });
      await store.policies.create({ role: 'user', actions: ['use'], models: ['*'], caps: {} }, ACTOR);
      const nulls = { actionsJson: 'null', modelsJson: '["m",null]', capsJson: '{"maxTokens":null}' };
      await database.updateTable('policies').set(nulls).execute();
      expect(await store.policies.list('acme')).toMatchObject([{ actions: [], models: ['m'], caps: {} }]);
      expect((await store.policies.list('acme'))[0]?.caps).not.toHaveProperty('maxTokens');
    });

    it('given many changes at once, then none is lost', async () => {
      const before = await store.changes.revision();
      await Promise.all(Array.from({ length: 20 }, () => createKey()));
      expect((await store.keys.list('acme')).length).toBe(20);
      expect(await store.changes.revision()).toBe(before + 20);
    });
  });
}
