import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminPlatform, idOf, startAdminPlatform } from '../test-support/admin-platform.js';

let on: AdminPlatform;
beforeAll(async () => {
  on = await startAdminPlatform();
});
afterAll(() => on.platform.stop());

const ask = (key: string, method: string, path: string, body?: unknown) => on.ask(key, method, `admin/${path}`, body);

describe('administration of limits', () => {
  it('given limits, then they hold at once; an administrator sets those of keys only', async () => {
    const { admin, user } = await on.makeTenant('measured');
    const set = await ask(on.operator, 'PUT', 'tenants/measured/limits', { requests_per_minute: 1 });
    expect(set).toMatchObject({ status: 200, body: { object: 'limits', key: null, requests_per_minute: 1 } });
    expect([(await on.complete(user)).status, (await on.complete(user)).status]).toEqual([200, 429]);
    expect((await ask(admin, 'PUT', 'tenants/measured/limits', {})).status).toBe(403);
    const ofKey = { key: idOf(user), tokens_per_minute: 3 };
    expect((await ask(admin, 'PUT', 'tenants/measured/limits', ofKey)).status).toBe(200);
    expect((await ask(admin, 'GET', 'tenants/measured/limits')).body.data).toEqual([
      set.body,
      expect.objectContaining(ofKey),
    ]);
    expect((await ask(on.operator, 'PUT', 'tenants/measured/limits', {})).status).toBe(200);
    expect((await on.complete(user)).status).toBe(429);
    const wrong = await ask(on.operator, 'PUT', 'tenants/measured/limits', { requests_per_minute: 0 });
    expect(wrong).toMatchObject({ status: 400, body: { error: { param: 'requests_per_minute' } } });
  });

  it('given a key that is rotated, then its limits are listed under the key that is used now, and name the first', async () => {
    const { admin, user } = await on.makeTenant('renewed');
    const first = idOf(user);
    const limits = (body: object) => ask(admin, 'PUT', 'tenants/renewed/limits', body);
    expect((await limits({ key: first, tokens_per_day: 9 })).body).toMatchObject({ key: first, lineage: first });
    const { key } = (await ask(admin, 'POST', `tenants/renewed/keys/${first}/rotate`, {})).body;
    const listed = (await ask(admin, 'GET', 'tenants/renewed/limits')).body.data;
    expect(listed).toEqual([expect.objectContaining({ key: idOf(key), lineage: first, tokens_per_day: 9 })]);
    const set = await limits({ key: first, tokens_per_day: 8 });
    expect(set.body).toMatchObject({ key: idOf(key), lineage: first, tokens_per_day: 8 });
  });

  it('given limits with an alias, then they are those of its model; with a model that nobody knows, then 404, but what stands can be taken away', async () => {
    const { user } = await on.makeTenant('aliased');
    const limit = (model: string, limits: object) =>
      ask(on.operator, 'PUT', 'tenants/aliased/limits', { model, ...limits });
    const set = await limit('default', { requests_per_minute: 1 });
    expect(set).toMatchObject({ status: 200, body: { model: 'test-model', requests_per_minute: 1 } });
    expect([(await on.complete(user)).status, (await on.complete(user)).status]).toEqual([200, 429]);
    expect((await limit('org/Some-Model-7B', {})).status).toBe(200);
    expect((await on.complete(user)).status).toBe(200);
    expect((await limit('sleeping-model', { tokens_per_day: 1 })).status).toBe(200); // configured
    const unknown = await limit('no-such-model', { tokens_per_day: 1 });
    expect(unknown).toMatchObject({ status: 404, body: { error: { code: 'model_not_found', param: 'model' } } });
    expect((await limit('no-such-model', {})).status).toBe(200);
  });

  it('given a policy without administer for a model, then an administrator sets no limits with it; without use, it does not exist', async () => {
    const { admin, user } = await on.makeTenant('unruly');
    const limit = (model?: string) =>
      ask(admin, 'PUT', 'tenants/unruly/limits', { key: idOf(user), model, requests_per_minute: 9 });
    expect((await limit('default')).status).toBe(200); // until a policy names the role
    const give = (actions: string[], models: string[]) =>
      ask(on.operator, 'POST', 'tenants/unruly/policies', { role: 'admin', actions, models });
    await give(['administer'], ['sleeping-*']);
    await give(['deploy'], ['*']);
    expect([(await limit('sleeping-model')).status, (await limit()).status]).toEqual([200, 200]);
    expect((await limit('default')).status).toBe(403); // it uses the model as a user
    await give(['use', 'administer'], ['test-model']);
    expect((await limit('default')).status).toBe(200);
    await ask(on.operator, 'POST', 'tenants/unruly/policies', { role: 'user', models: ['other'] });
    const { id } = (await ask(on.operator, 'GET', 'tenants/unruly/policies')).body.data.find(
      ({ models }: { models: string[] }) => models.includes('test-model'),
    );
    await ask(on.operator, 'DELETE', `tenants/unruly/policies/${id}`);
    expect(await limit('default')).toMatchObject({ status: 404, body: { error: { code: 'model_not_found' } } });
  });
});
