import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { BUILT_IN_ROLES, IdentityStore, SCOPES } from '#lib/auth';
import { openDatabase } from '#lib/database';
import { post, startTestPlatform, type TestPlatform } from './test-platform.js';

const ACTOR = { name: 'test', address: '' };

export interface AdminAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what came, whatever it is
  readonly body: any;
}

/** A platform that can be administered: with an operator, whose key may do everything. */
export interface AdminPlatform {
  readonly platform: TestPlatform;
  readonly databaseUrl: string;
  readonly operator: string;
  /** @param path  below `/v1/`: `admin/tenants` */
  ask(key: string, method: string, path: string, body?: unknown): Promise<AdminAnswer>;
  /** A tenant with an administrator and a user, each with a key. */
  makeTenant(id: string): Promise<{ admin: string; user: string }>;
  /** Asks for a short completion. */
  complete(key: string, extra?: object): Promise<Response>;
  /** Makes a service account with a key of its own. @returns the key */
  makeKey(tenant: string, name: string, roles: readonly string[], scopes: readonly string[]): Promise<string>;
}

export async function startAdminPlatform(
  settings: Parameters<typeof startTestPlatform>[0] = {},
): Promise<AdminPlatform> {
  const databaseUrl = `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-admin-')), 'hydra.db')}`;
  const database = await openDatabase(databaseUrl);
  const { tenants, keys } = new IdentityStore(database);
  await tenants.create({ id: 'default', name: 'default' }, ACTOR);
  const roles = [BUILT_IN_ROLES.operator, BUILT_IN_ROLES.user];
  await tenants.createAccount({ tenantId: 'default', name: 'operator', roles }, ACTOR);
  const wish = { tenantId: 'default', accountName: 'operator', scopes: SCOPES, expiresAtMs: undefined };
  const operator = (await keys.create(wish, ACTOR)).text;
  await database.destroy();
  const platform = await startTestPlatform({
    ...settings,
    auth: { mode: 'required', refreshIntervalMs: 3_600_000, ...settings.auth },
    database: { url: databaseUrl },
  });

  const ask: AdminPlatform['ask'] = async (key, method, path, body) => {
    const response = await fetch(`${platform.url}/v1/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: typeof body === 'string' ? body : body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };
  const makeKey: AdminPlatform['makeKey'] = async (tenant, name, ofAccount, scopes) => {
    const below = `admin/tenants/${tenant}`;
    expect((await ask(operator, 'POST', `${below}/accounts`, { name, roles: ofAccount })).status).toBe(201);
    return (await ask(operator, 'POST', `${below}/keys`, { account: name, scopes })).body.key;
  };
  const makeTenant: AdminPlatform['makeTenant'] = async (id) => {
    expect((await ask(operator, 'POST', 'admin/tenants', { id, name: id })).status).toBe(201);
    return {
      admin: await makeKey(id, 'admin', ['admin', 'user'], ['admin', 'inference']),
      user: await makeKey(id, 'user', ['user'], ['inference']),
    };
  };
  const complete: AdminPlatform['complete'] = (key, extra = {}) => {
    const body = { model: 'default', prompt: 'hi', max_tokens: 2, ...extra };
    return post(`${platform.url}/v1/completions`, body, { authorization: `Bearer ${key}` });
  };
  return { platform, databaseUrl, operator, ask, makeKey, makeTenant, complete };
}

/** The public part of a key. */
export function idOf(key: string): string {
  return key.slice(6, 18);
}
