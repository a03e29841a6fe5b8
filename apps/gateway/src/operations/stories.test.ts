import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IdentityStore } from '#lib/auth';
import { openDatabase } from '#lib/database';
import { post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';
import type { StoryResource } from './story-resource.js';

const ACTOR = { name: 'test', address: '' };
const url = `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-stories-')), 'hydra.db')}`;
const keys: Record<string, string> = {};
let platform: TestPlatform;

beforeAll(async () => {
  const database = await openDatabase(url);
  const store = new IdentityStore(database);
  for (const [tenantId, role] of [
    ['acme', 'user'],
    ['other', 'admin'],
    ['house', 'operator'],
  ] as const) {
    await store.tenants.create({ id: tenantId, name: tenantId }, ACTOR);
    await store.tenants.createAccount({ tenantId, name: 'one', roles: [role, 'user'] }, ACTOR);
    const wish = { tenantId, accountName: 'one', scopes: ['inference'] as const, expiresAtMs: undefined };
    keys[tenantId] = (await store.keys.create(wish, ACTOR)).text;
  }
  await database.destroy();
  platform = await startTestPlatform({ auth: { mode: 'required', refreshIntervalMs: 20 }, database: { url } });
});
afterAll(() => platform.stop());

const as = (tenant: string) => ({ authorization: `Bearer ${keys[tenant]}` });
async function story(tenant: string, id: string) {
  const response = await fetch(`${platform.url}/v1/admin/traces/${encodeURIComponent(id)}`, { headers: as(tenant) });
  return { status: response.status, body: (await response.json()) as StoryResource };
}

describe('GET /v1/admin/traces/{id}', () => {
  it('given an answered request, when asked for, then its tenant and operators see it, and others do not find it', async () => {
    const body = { model: 'default', prompt: 'a secret wish', max_tokens: 3 };
    const answer = await post(`${platform.url}/v1/completions`, body, { ...as('acme'), 'x-request-id': 'mine' });
    const { id: answerId } = (await answer.json()) as { id: string };
    for (const tenant of ['acme', 'house']) {
      const { status, body: seen } = await story(tenant, 'mine');
      expect(status).toBe(200);
      expect(seen).toMatchObject({ object: 'request_story', request_ids: ['mine'], tenants: ['acme'] });
      const names = seen.spans.map(({ name }) => name);
      expect(names).toEqual(['POST /v1/completions', 'text_completion test-model', 'tokenize', 'place', 'generate']);
      expect(JSON.stringify(seen)).not.toContain('secret wish');
      expect(JSON.stringify(seen)).not.toContain(keys['acme']);
    }
    const generationId = answerId.replace(/^cmpl-/, '');
    expect((await story('acme', generationId)).body.generation_ids).toEqual([generationId]);
    expect((await story('other', 'mine')).status).toBe(404); // also for administrators of others
  });

  it('given an id that two tenants used, when each asks, then each sees its own, and operators both', async () => {
    for (const tenant of ['acme', 'other']) {
      const body = { model: 'default', prompt: 'x', max_tokens: 1 };
      await post(`${platform.url}/v1/completions`, body, { ...as(tenant), 'x-request-id': 'shared' });
    }
    for (const tenant of ['acme', 'other']) expect((await story(tenant, 'shared')).body.tenants).toEqual([tenant]);
    expect((await story('house', 'shared')).body.tenants.toSorted()).toEqual(['acme', 'other']);
  });

  it('given a request that failed, when asked for, then its story has the word of the error and nothing of what was asked', async () => {
    const body = { model: 'my secret model', prompt: 'x' };
    await post(`${platform.url}/v1/completions`, body, { ...as('acme'), 'x-request-id': 'wrong' });
    const { body: seen } = await story('acme', 'wrong');
    expect(seen.spans[0]).toMatchObject({ name: 'POST /v1/completions', error: 'model_not_found', open: false });
    expect(JSON.stringify(seen)).not.toContain('secret');
  });

  it('given an id that nobody knows, a wrong method or no key, when asked, then it is refused in the one shape', async () => {
    expect(await story('house', 'nobody')).toMatchObject({
      status: 404,
      body: { error: { code: 'not_found', param: 'id' } },
    });
    const url = `${platform.url}/v1/admin/traces/mine`;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { method: 'POST', headers: as('acme') })).status).toBe(405);
  });
});
