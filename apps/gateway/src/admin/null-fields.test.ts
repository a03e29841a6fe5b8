import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '#lib/database';
import { type AdminPlatform, idOf, startAdminPlatform } from '../test-support/admin-platform.js';
import { post } from '../test-support/test-platform.js';

let administered: AdminPlatform;
let tenantCount = 0;
beforeAll(async () => {
  administered = await startAdminPlatform();
});
afterAll(() => administered.platform.stop());

const LIMITS = ['requests_per_minute', 'tokens_per_minute', 'concurrent_requests', 'tokens_per_day']
  .concat(['tokens_per_month', 'cost_micros_per_day', 'cost_micros_per_month'])
  .map((name) => [name, 1_000_000] as const);
const CAPS = { context_tokens: 1_000, max_tokens: 100, choices: 2, priority: 1 };

/** Every body of administration, with all of its fields, for a tenant with a key. */
function acts(tenant: string, key: string): [method: string, path: string, body: Record<string, unknown>][] {
  const below = `admin/tenants/${tenant}`;
  return [
    ['POST', 'admin/tenants', { id: `${tenant}-next`, name: 'x' }],
    ['PATCH', below, { state: 'active' }],
    ['POST', `${below}/accounts`, { name: 'bot', roles: ['user'] }],
    ['PATCH', `${below}/accounts/user`, { roles: ['user'] }],
    ['POST', `${below}/keys`, { account: 'user', scopes: ['inference'], expires_at: 4_000_000_000 }],
    ['POST', `${below}/policies`, { role: 'user', actions: ['use'], models: ['*'], caps: CAPS }],
    ['PUT', `${below}/limits`, Object.fromEntries(LIMITS)],
    ['PUT', `${below}/limits`, { key, model: 'test-model', ...Object.fromEntries(LIMITS) }],
    ['POST', `${below}/keys/${key}/rotate`, { overlap_s: 3_600 }],
    ['PUT', 'admin/log-level', { level: 'silent', app: 'gateway', for_seconds: 60 }],
  ];
}

const complete = (key: string) =>
  post(
    `${administered.platform.url}/v1/completions`,
    { model: 'default', prompt: 'hi', max_tokens: 2 },
    { authorization: `Bearer ${key}` },
  );

/** Paths of all fields: `caps`, `caps.choices`, and entries of lists. */
function pathsOf(body: object, above: readonly string[] = []): string[][] {
  return Object.entries(body).flatMap(([name, value]) => {
    const path = [...above, name];
    return typeof value === 'object' && value !== null ? [path, ...pathsOf(value, path)] : [path];
  });
}

function withNulls<T extends object>(body: T, paths: readonly (readonly string[])[]): T {
  const copy = structuredClone(body);
  for (const path of paths) {
    let at = copy as Record<string, unknown>;
    for (const name of path.slice(0, -1)) at = (at?.[name] ?? {}) as Record<string, unknown>;
    at[path.at(-1) as string] = null;
  }
  return copy;
}

describe('fields of administration that are null', () => {
  it('given any act with any of its fields null, then it is never a fault of the server, then or later, and no null is stored', async () => {
    const { operator, ask, makeTenant, databaseUrl } = administered;
    const index = fc.integer({ min: 0, max: acts('', '').length - 1 });
    const chosen = index.chain((at) =>
      fc.tuple(fc.constant(at), fc.subarray(pathsOf(acts('', '')[at]?.[2] as object), { minLength: 1 })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(chosen, { minLength: 1, maxLength: 6 }), async (choices) => {
        const tenant = `nulls-${tenantCount++}`;
        const { user } = await makeTenant(tenant);
        for (const [at, paths] of choices) {
          const [method, path, body] = acts(tenant, idOf(user))[at] as ReturnType<typeof acts>[number];
          const sent = withNulls(body, paths);
          const answer = await ask(operator, method, path, sent);
          expect(answer.status, `${method} ${path} ${JSON.stringify(sent)}`).toBeLessThan(500);
          if (answer.status >= 400) expect(answer.body.error).toMatchObject({ type: 'invalid_request_error' });
          const made = answer.status === 201 && path.includes('/keys'); // a key
          expect((await complete(made ? answer.body.key : user)).status, JSON.stringify(sent)).toBe(200);
        }
        expect((await complete(user)).status).toBe(200);
        for (const list of ['accounts', 'keys', 'policies', 'limits']) {
          expect((await ask(operator, 'GET', `admin/tenants/${tenant}/${list}`)).status).toBe(200);
        }
      }),
      { numRuns: 40 },
    );
    const database = await openDatabase(databaseUrl);
    const stored = await Promise.all([
      database.selectFrom('apiKeys').select('scopesJson').execute(),
      database.selectFrom('policies').select(['actionsJson', 'modelsJson', 'capsJson']).execute(),
      database.selectFrom('limits').select('limitsJson').execute(),
    ]);
    await database.destroy();
    expect(stored.flat().length).toBeGreaterThan(0);
    expect(JSON.stringify(stored)).not.toContain('null');
  });

  it('given null, then it is as if the field were not there: defaults count, limits are lifted, and what must be there is missing', async () => {
    const { operator, ask, makeTenant } = administered;
    const { user } = await makeTenant('null-fields');
    const below = 'admin/tenants/null-fields';
    const key = await ask(operator, 'POST', `${below}/keys`, { account: 'user', scopes: null, expires_at: null });
    expect(key).toMatchObject({ status: 201, body: { scopes: ['inference', 'usage'], expires_at: null } });
    const policy = { role: 'intern', models: ['*'], actions: null, caps: { choices: null, max_tokens: 3 } };
    const made = await ask(operator, 'POST', `${below}/policies`, policy);
    expect(made).toMatchObject({ status: 201, body: { actions: ['use'], caps: { max_tokens: 3 } } });
    expect(made.body.caps).not.toHaveProperty('choices');
    expect((await ask(operator, 'PUT', `${below}/limits`, { requests_per_minute: 1 })).status).toBe(200);
    expect((await ask(operator, 'PUT', `${below}/limits`, { requests_per_minute: null })).status).toBe(200);
    expect((await ask(operator, 'GET', `${below}/limits`)).body.data).toEqual([]);
    expect((await ask(operator, 'POST', `${below}/keys/${idOf(user)}/rotate`, { overlap_s: null })).status).toBe(201);
    expect((await complete(user)).status).toBe(200); // the usual overlap
    const missing = await ask(operator, 'POST', `${below}/accounts`, { name: 'x', roles: null });
    expect(missing).toMatchObject({
      status: 400,
      body: { error: { code: 'missing_required_parameter', param: 'roles' } },
    });
    const entry = await ask(operator, 'POST', `${below}/accounts`, { name: 'x', roles: [null] });
    expect(entry).toMatchObject({ status: 400, body: { error: { code: 'invalid_type', param: 'roles' } } });
  });
});
