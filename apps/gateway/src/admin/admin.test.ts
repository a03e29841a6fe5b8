import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminPlatform, idOf, startAdminPlatform } from '../test-support/admin-platform.js';
import { post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

let administered: AdminPlatform;
let platform: TestPlatform;
let operator: string;
beforeAll(async () => {
  administered = await startAdminPlatform();
  ({ platform, operator } = administered);
});
afterAll(() => platform.stop());

const ask = (key: string, method: string, path: string, body?: unknown) =>
  administered.ask(key, method, `admin/${path}`, body);
const makeTenant = (id: string) => administered.makeTenant(id);
const complete = (key: string, extra: object = {}) => administered.complete(key, extra);

describe('administration by operators', () => {
  it('given a tenant, an account and a key made one after another, then the key works at once', async () => {
    const { user } = await makeTenant('acme');
    expect((await complete(user)).status).toBe(200);
    const { body } = await ask(operator, 'GET', 'tenants');
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual(['acme', 'default']);
    expect(JSON.stringify(body)).not.toContain('salt');
    const accounts = await ask(operator, 'GET', 'tenants/acme/accounts');
    expect(accounts.body.data).toMatchObject([{ name: 'admin' }, { name: 'user', roles: ['user'] }]);
  });

  it.each<[string, (tenant: string) => string]>([
    ['tenants', () => 'tenants'],
    ['accounts', (tenant) => `tenants/${tenant}/accounts`],
    ['keys', (tenant) => `tenants/${tenant}/keys`],
    ['policies', (tenant) => `tenants/${tenant}/policies`],
    ['limits', (tenant) => `tenants/${tenant}/limits`],
    ['acts', () => 'audit'],
  ])(
    'given several %s, when listed page by page, then each comes once, and the last page says so',
    async (name, pathOf) => {
      const tenant = `paged-${name}`;
      const { user } = await makeTenant(tenant);
      const path = pathOf(tenant);
      for (const [role, limits] of [
        ['user', { tokens_per_day: 1 }],
        ['admin', { key: idOf(user), tokens_per_day: 1 }],
        ['else', { key: idOf(user), model: 'test-model', tokens_per_day: 1 }],
      ] as const) {
        await ask(operator, 'POST', `tenants/${tenant}/policies`, { role, models: ['*'] });
        await ask(operator, 'PUT', `tenants/${tenant}/limits`, limits);
      }
      const whole = (await ask(operator, 'GET', `${path}?limit=1000`)).body;
      expect(whole.has_more).toBe(false);
      const read = [];
      for (let after = ''; ; ) {
        const { body } = await ask(operator, 'GET', `${path}?limit=1${after}`);
        expect(body).toMatchObject({ object: 'list', first_id: body.data[0].id, last_id: body.data[0].id });
        read.push(...body.data);
        if (!body.has_more) break;
        after = `&after=${encodeURIComponent(body.last_id)}`;
      }
      expect(read.length).toBeGreaterThanOrEqual(2);
      expect(read).toEqual(whole.data);
      const { body: none } = await ask(operator, 'GET', `${path}?after=${encodeURIComponent(whole.last_id)}`);
      expect(none).toEqual({ object: 'list', data: [], first_id: null, last_id: null, has_more: false });
      for (const [query, param, status] of [
        ['limit=0', 'limit', 400],
        ['limit=1001', 'limit', 400],
        ['limit=1.5', 'limit', 400],
        ['limit=', 'limit', 400],
        ['limit=ten', 'limit', 400],
        ['limit=1&limit=2', 'limit', 400],
        ['after=', 'after', 400],
        [`after=${'x'.repeat(513)}`, 'after', 400],
        ['before=x', 'before', 400],
        ['after=nothing', 'after', 404],
      ] as const) {
        const answer = await ask(operator, 'GET', `${path}?${query}`);
        expect(answer, query).toMatchObject({ status, body: { error: { param, type: 'invalid_request_error' } } });
      }
    },
  );

  it('given keys, when listed, then nothing shows what they are made of', async () => {
    const { body } = await ask(operator, 'GET', 'tenants/default/keys');
    expect(body.data).toMatchObject([{ object: 'api_key', id: idOf(operator), account: 'operator', revoked_at: null }]);
    expect(JSON.stringify(body)).not.toContain(operator.slice(-43));
    expect(JSON.stringify(body)).not.toMatch(/hash/);
  });

  it('given a key that is rotated, then both work, until the old one is revoked; the gateway that did it knows at once', async () => {
    const { user } = await makeTenant('rotating');
    const rotated = await ask(operator, 'POST', `tenants/rotating/keys/${idOf(user)}/rotate`, { overlap_s: 3_600 });
    expect(rotated.status).toBe(201);
    expect([(await complete(user)).status, (await complete(rotated.body.key)).status]).toEqual([200, 200]);
    expect((await ask(operator, 'DELETE', `tenants/rotating/keys/${idOf(user)}`)).status).toBe(204);
    expect([(await complete(user)).status, (await complete(rotated.body.key)).status]).toEqual([401, 200]);
  });

  it('given no body, when a key is rotated, then its fields have their defaults; where fields must be there, a body must', async () => {
    const { user } = await makeTenant('bodiless');
    const path = 'tenants/bodiless/keys';
    const rotated = await ask(operator, 'POST', `${path}/${idOf(user)}/rotate`, undefined);
    expect([rotated.status, (await complete(user)).status]).toEqual([201, 200]);
    expect(await ask(operator, 'POST', path, undefined)).toMatchObject({ status: 400 });
    expect(await ask(operator, 'PUT', 'tenants/bodiless/limits', undefined)).toMatchObject({ status: 400 });
  });

  it('given a service account, when its roles are changed or taken, then its keys have them at once', async () => {
    const { user } = await makeTenant('changing');
    expect((await ask(operator, 'PATCH', 'tenants/changing/accounts/user', { roles: [] })).status).toBe(204);
    expect((await complete(user)).status).toBe(404);
    expect((await ask(operator, 'PATCH', 'tenants/changing/accounts/user', { roles: ['user'] })).status).toBe(204);
    expect((await complete(user)).status).toBe(200);
    const nobody = await ask(operator, 'PATCH', 'tenants/changing/accounts/nobody', { roles: ['user'] });
    expect(nobody.status).toBe(404);
    expect((await ask(operator, 'PATCH', 'tenants/changing/accounts/user', { roles: ['No Slug'] })).status).toBe(400);
  });

  it('given a tenant that is suspended, then nobody of it is let in until it is active again', async () => {
    const { user } = await makeTenant('pausing');
    await ask(operator, 'PATCH', 'tenants/pausing', { state: 'suspended' });
    expect((await complete(user)).status).toBe(401);
    await ask(operator, 'PATCH', 'tenants/pausing', { state: 'active' });
    expect((await complete(user)).status).toBe(200);
  });

  it('given policies, then they hold at once, in one tenant or in all, until they are taken back', async () => {
    const { user } = await makeTenant('governed');
    const policy = { role: 'user', models: ['test-*'], caps: { max_tokens: 3 } };
    const made = await ask(operator, 'POST', 'tenants/governed/policies', policy);
    expect(made).toMatchObject({
      status: 201,
      body: { tenant: 'governed', actions: ['use'], caps: { max_tokens: 3 } },
    });
    expect((await complete(user, { max_tokens: 4 })).status).toBe(400);
    const listed = await ask(operator, 'GET', 'tenants/governed/policies');
    expect(listed.body.data).toEqual([made.body]);
    expect((await ask(operator, 'DELETE', `tenants/governed/policies/${made.body.id}`)).status).toBe(204);
    expect((await complete(user, { max_tokens: 4 })).status).toBe(200);
    const common = await ask(operator, 'POST', 'policies', { ...policy, role: 'tester', models: ['no-*'] });
    expect(common.body.tenant).toBeNull();
    expect((await ask(operator, 'DELETE', `policies/${common.body.id}`)).status).toBe(204);
  });

  it('given an adapter, then policies hold for its own name, and one that may not be used is as unknown as one that is not there', async () => {
    const { user } = await makeTenant('adapted');
    platform.worker.adapterIds = ['tuned-a', 'other-b'];
    platform.scheduler.publish();
    const names = async () => {
      const response = await fetch(`${platform.url}/v1/models`, { headers: { authorization: `Bearer ${user}` } });
      const { data } = (await response.json()) as { data: { id: string; parent: string | null; root: string }[] };
      return data.map(({ id, parent }) => [id, parent]);
    };
    while ((await names()).every(([id]) => id !== 'tuned-a')); // until the gateway has heard of it
    expect(await names()).toContainEqual(['other-b', 'test-model']);
    const policy = { role: 'user', models: ['tuned-*'], caps: { max_tokens: 3 } };
    const made = await ask(operator, 'POST', 'tenants/adapted/policies', policy);
    expect(await names()).toEqual([['tuned-a', 'test-model']]);
    expect((await complete(user, { model: 'tuned-a' })).status).toBe(200);
    expect((await complete(user, { model: 'tuned-a', max_tokens: 4 })).status).toBe(400);
    const errorOf = async (model: string) => {
      const response = await complete(user, { model });
      const { error } = (await response.json()) as { error: { message: string } };
      return { status: response.status, error: { ...error, message: error.message.replace(model, 'NAME') } };
    };
    const unknown = await errorOf('nobody');
    expect(unknown).toMatchObject({ status: 404, error: { code: 'model_not_found', param: 'model' } });
    for (const denied of ['other-b', 'test-model']) expect(await errorOf(denied)).toEqual(unknown);
    await ask(operator, 'DELETE', `tenants/adapted/policies/${made.body.id}`);
    platform.worker.adapterIds = [];
    platform.scheduler.publish();
  });

  it('given acts, then the audit log has each with who did it, page by page', async () => {
    await makeTenant('audited');
    const first = await ask(operator, 'GET', 'audit?tenant=audited&limit=3');
    const rest = await ask(operator, 'GET', `audit?tenant=audited&after=${first.body.data[2].id}`);
    const entries = [...first.body.data, ...rest.body.data];
    expect(entries.map(({ action }: { action: string }) => action).sort()).toEqual([
      'account-create',
      'account-create',
      'key-create',
      'key-create',
      'tenant-create',
    ]);
    expect(entries[0]).toMatchObject({ actor: `key:${idOf(operator)}`, tenant: 'audited', address: '127.0.0.1' });
    expect((await ask(operator, 'GET', `audit?after=${'0'.repeat(32)}`)).status).toBe(404);
    expect(await ask(operator, 'GET', 'audit?tenant=nope')).toMatchObject({
      ...{ status: 404, body: { error: { code: 'not_found', param: 'tenant' } } },
    });
  });

  it.each<[string, string, unknown, number, string]>([
    ['tenants', 'POST', { id: 'default', name: 'x' }, 409, 'already_exists'],
    ['tenants/nobody', 'PATCH', { state: 'active' }, 404, 'not_found'],
    ['tenants/nobody/accounts', 'GET', undefined, 404, 'not_found'],
    ['tenants/nobody/keys', 'GET', undefined, 404, 'not_found'],
    ['tenants/nobody/policies', 'GET', undefined, 404, 'not_found'],
    ['tenants/nobody/limits', 'GET', undefined, 404, 'not_found'],
    ['tenants/nobody/accounts', 'POST', { name: 'x', roles: ['user'] }, 404, 'not_found'],
    ['tenants/default/keys', 'POST', { account: 'nobody' }, 404, 'not_found'],
    ['tenants/default/keys/abc/rotate', 'POST', {}, 404, 'not_found'],
    ['tenants/default/keys/abc', 'DELETE', undefined, 404, 'not_found'],
    ['policies/abc', 'DELETE', undefined, 404, 'not_found'],
  ])(
    'given what is taken or not there, when %s is asked to %s it, then the answer says so',
    async (path, method, body, status, code) => {
      expect(await ask(operator, method, path, body)).toMatchObject({ status, body: { error: { code } } });
    },
  );

  it.each<[string, unknown, string | null]>([
    ['no JSON', '{"id":', null],
    ['an array', '[]', null],
    ['a body nested 100,000 times', `{"id":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, null],
    ['no id', { name: 'x' }, 'id'],
    ['a number for an id', { id: 5, name: 'x' }, 'id'],
    ['a path for an id', { id: '../../etc', name: 'x' }, 'id'],
    ['an id in capitals', { id: 'Acme', name: 'x' }, 'id'],
    ['the id of nobody', { id: 'anonymous', name: 'x' }, 'id'],
    ['a line feed in the name', { id: 'x', name: 'a\nlevel=error' }, 'name'],
    ['a name of 10,000 characters', { id: 'x', name: 'x'.repeat(10_000) }, 'name'],
    ['what is not known', { id: 'x', name: 'x', state: 'active' }, 'state'],
  ])('given %s for a tenant, then it is 400 and names it', async (_, body, param) => {
    const answer = await ask(operator, 'POST', 'tenants', body);
    expect(answer.status).toBe(400);
    expect(answer.body.error.param).toBe(param);
  });

  it.each<[string, string, object, string, string, string]>([
    ['no id', 'tenants', { name: 'x' }, 'id', 'missing_required_parameter', "Missing required parameter: 'id'."],
    ['a number for an id', 'tenants', { id: 5, name: 'x' }, 'id', 'invalid_type', 'must be a string'],
    ['an id in capitals', 'tenants', { id: 'Acme', name: 'x' }, 'id', 'invalid_value', 'expected 1 to 48 of'],
    ['the id of nobody', 'tenants', { id: 'anonymous', name: 'x' }, 'id', 'invalid_value', 'the name of nobody'],
    ['a text for roles', 'tenants/default/accounts', { name: 'x', roles: 'user' }, 'roles', 'invalid_type', 'an array'],
    ['caps in a list', 'policies', { role: 'x', models: ['*'], caps: [{}] }, 'caps', 'invalid_type', 'an object'],
    [
      'a text for a day',
      'tenants/default/keys',
      { account: 'x', expires_at: '1' },
      'expires_at',
      'invalid_type',
      'an integer',
    ],
  ])('given %s, then the code and the words say what is wrong', async (_, path, body, param, code, words) => {
    const { status, body: answer } = await ask(operator, 'POST', path, body);
    expect(status).toBe(400);
    expect(answer.error).toMatchObject({ param, code, message: expect.stringContaining(words) });
  });

  it('given a prototype in a body, then nothing comes of it', async () => {
    const body =
      '{"id":"plain","name":"x","__proto__":{"state":"suspended"},"constructor":{"prototype":{"polluted":1}}}';
    expect((await ask(operator, 'POST', 'tenants', body)).body).toMatchObject({ id: 'plain', state: 'active' });
    expect({}).not.toHaveProperty('polluted');
  });

  it.each<[string, object, string]>([
    ['an unknown scope', { account: 'operator', scopes: ['everything'] }, 'scopes'],
    ['no scope at all', { account: 'operator', scopes: [] }, 'scopes'],
    ['an expiry in the past', { account: 'operator', expires_at: 1 }, 'expires_at'],
    ['an expiry that is no whole number', { account: 'operator', expires_at: 1.5 }, 'expires_at'],
    ['an expiry beyond all time', { account: 'operator', expires_at: 1e300 }, 'expires_at'],
  ])('given %s for a key, then it is 400 and names it', async (_, body, param) => {
    const answer = await ask(operator, 'POST', 'tenants/default/keys', body);
    expect(answer).toMatchObject({ status: 400, body: { error: { param } } });
  });

  it.each<[string, object, string]>([
    ['a cap of 0', { role: 'user', models: ['*'], caps: { max_tokens: 0 } }, 'caps.max_tokens'],
    ['an unknown cap', { role: 'user', models: ['*'], caps: { tokens: 1 } }, 'caps.tokens'],
    ['a text for caps', { role: 'user', models: ['*'], caps: 'none' }, 'caps'],
    ['no pattern', { role: 'user', models: [] }, 'models'],
    ['a number for a pattern', { role: 'user', models: [1] }, 'models'],
    ['an unknown action', { role: 'user', models: ['*'], actions: ['steal'] }, 'actions'],
  ])('given %s for a policy, then it is 400 and names it', async (_, body, param) => {
    const answer = await ask(operator, 'POST', 'policies', body);
    expect(answer).toMatchObject({ status: 400, body: { error: { param } } });
  });

  it('given the OpenAPI document, then administration is in it, with the credential', async () => {
    const document = (await (await fetch(`${platform.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { security?: unknown }>>;
      security: unknown;
      components: { schemas: Record<string, object> };
    };
    expect(document.security).toEqual([{ bearer: [] }]);
    expect(Object.keys(document.paths).filter((path) => path.startsWith('/v1/admin/')).length).toBe(15);
    expect(document.components.schemas).toHaveProperty('CreateKey');
    expect(document.paths['/v1/admin/tenants']).toHaveProperty('post');
    expect(document.paths['/health/live']?.['get']?.security).toEqual([]);
  });
});

describe('administration by others', () => {
  it("given an administrator, then its own tenant is its own, and another's does not exist", async () => {
    const { admin } = await makeTenant('home');
    const { user: foreign } = await makeTenant('abroad');
    expect((await ask(admin, 'GET', 'tenants/home/keys')).status).toBe(200);
    expect((await ask(admin, 'POST', 'tenants/home/accounts', { name: 'bot', roles: ['user'] })).status).toBe(201);
    expect((await ask(admin, 'POST', 'tenants/home/keys', { account: 'bot' })).status).toBe(201);
    const unknown = await ask(admin, 'GET', 'tenants/nothere/keys');
    expect(unknown.status).toBe(404);
    for (const [method, path, body] of [
      ['GET', 'tenants/abroad/keys', undefined],
      ['GET', 'tenants/abroad/accounts', undefined],
      ['GET', 'tenants/abroad/policies', undefined],
      ['POST', 'tenants/abroad/keys', { account: 'user' }],
      ['POST', `tenants/abroad/keys/${idOf(foreign)}/rotate`, {}],
      ['DELETE', `tenants/abroad/keys/${idOf(foreign)}`, undefined],
      ['PATCH', 'tenants/abroad', { state: 'suspended' }],
    ] as const) {
      const answer = await ask(admin, method, path, body);
      expect(answer.status, path).toBe(404);
      expect(answer.body.error.message).toBe(unknown.body.error.message.replace('nothere', 'abroad'));
    }
    expect((await ask(admin, 'DELETE', `tenants/home/keys/${idOf(foreign)}`)).status).toBe(404);
    expect((await complete(foreign)).status).toBe(200);
  });

  it('given an administrator, then it cannot get more than it has', async () => {
    const { admin } = await makeTenant('greedy');
    await ask(operator, 'POST', 'tenants/greedy/accounts', { name: 'root', roles: ['operator'] });
    const root = (await ask(operator, 'POST', 'tenants/greedy/keys', { account: 'root' })).body.id;
    for (const [method, path, body] of [
      ['GET', 'tenants', undefined],
      ['POST', 'tenants', { id: 'mine', name: 'mine' }],
      ['PATCH', 'tenants/greedy', { state: 'active' }],
      ['POST', 'tenants/greedy/accounts', { name: 'boss', roles: ['operator'] }],
      ['POST', 'tenants/greedy/accounts', { name: 'boss', roles: ['user', 'premium'] }],
      ['PATCH', 'tenants/greedy/accounts/root', { roles: ['user'] }],
      ['PATCH', 'tenants/greedy/accounts/user', { roles: ['operator'] }],
      ['POST', 'tenants/greedy/keys', { account: 'root' }],
      ['POST', 'tenants/greedy/keys', { account: 'user', scopes: ['metrics'] }],
      ['POST', `tenants/greedy/keys/${root}/rotate`, {}],
      ['DELETE', `tenants/greedy/keys/${root}`, undefined],
      ['PUT', 'tenants/greedy/limits', { key: root, requests_per_minute: 1 }],
      ['PUT', 'tenants/greedy/limits', { requests_per_minute: 1_000 }],
      ['POST', 'tenants/greedy/policies', { role: 'user', models: ['*'] }],
      ['DELETE', 'tenants/greedy/policies/abc', undefined],
      ['POST', 'policies', { role: 'user', models: ['*'] }],
      ['GET', 'audit', undefined],
    ] as const) {
      const answer = await ask(admin, method, path, body);
      expect(answer, `${method} ${path}`).toMatchObject({
        status: 403,
        body: { error: { code: 'insufficient_permissions' } },
      });
    }
  });

  it('given a role or a scope alone, then it does not administer', async () => {
    const { user } = await makeTenant('modest');
    expect((await ask(user, 'GET', 'tenants/modest/keys')).status).toBe(403);
    const noScope = await ask(operator, 'POST', 'tenants/modest/keys', { account: 'admin' });
    expect((await ask(noScope.body.key, 'GET', 'tenants/modest/keys')).status).toBe(403);
    const noRole = await ask(operator, 'POST', 'tenants/modest/keys', { account: 'user', scopes: ['admin'] });
    expect((await ask(noRole.body.key, 'GET', 'tenants/modest/keys')).status).toBe(403);
  });

  it('given a gateway without authentication, then there is nothing to administer', async () => {
    const open = await startTestPlatform({ expectReady: false });
    const response = await post(`${open.url}/v1/admin/tenants`, { id: 'x', name: 'x' });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('auth.mode');
    await open.stop();
  });
});
