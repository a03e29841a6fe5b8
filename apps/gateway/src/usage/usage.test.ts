import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IdentityStore } from '#lib/auth';
import { openDatabase } from '#lib/database';
import { post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';
import { toCsv, UsageResource } from './usage-resource.js';

const ACTOR = { name: 'test', address: '' };
const url = `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-usage-')), 'hydra.db')}`;
const today = () => new Date().toISOString().slice(0, 10);

let platform: TestPlatform;
const keys: Record<string, { readonly id: string; readonly text: string }> = {};

const start = () =>
  startTestPlatform({
    auth: { mode: 'required', refreshIntervalMs: 20 },
    database: { url },
    price: { input: 1_000, cachedInput: 100, output: 2_000 },
  });
const complete = (name: string, extra: object = {}, headers: object = {}) =>
  post(
    `${platform.url}/v1/completions`,
    { model: 'default', prompt: 'hello', max_tokens: 3, ...extra },
    { authorization: `Bearer ${keys[name]?.text}`, ...headers },
  );
async function usage(name: string, query = ''): Promise<{ status: number; type: string | null; text: string }> {
  const headers = { authorization: `Bearer ${keys[name]?.text}` };
  const response = await fetch(`${platform.url}/v1/usage?${query}`, { headers });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}
/** What is written comes some time after the answer. */
async function eventually<T>(read: () => Promise<T>, isThere: (value: T) => boolean): Promise<T> {
  for (const untilMs = Date.now() + 20_000; ; ) {
    const value = await read();
    if (isThere(value)) return value;
    if (Date.now() > untilMs) throw new Error(`still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

beforeAll(async () => {
  const database = await openDatabase(url);
  const store = new IdentityStore(database);
  for (const [tenantId, name, role] of [
    ['acme', 'acme', 'user'],
    ['other', 'other', 'user'],
    ['other', 'operator', 'operator'],
  ] as const) {
    if ((await store.tenants.find(tenantId)) === undefined) {
      await store.tenants.create({ id: tenantId, name: tenantId }, ACTOR);
    }
    await store.tenants.createAccount({ tenantId, name, roles: [role, 'user'] }, ACTOR);
    const wish = { tenantId, accountName: name, scopes: ['inference', 'usage'] as const, expiresAtMs: undefined };
    const { key, text } = await store.keys.create(wish, ACTOR);
    keys[name] = { id: key.id, text };
  }
  await store.limits.set('acme', { keyId: undefined, modelId: undefined, limits: { tokensPerDay: 40 } }, ACTOR);
  await database.destroy();
  platform = await start();
});
afterAll(() => platform.stop());

describe('GET /v1/usage', () => {
  it('given answers, whole, streamed and broken off, then each counts once, under ids of the server', async () => {
    platform.worker.onSubmit = (generation) => {
      for (let i = 0; i < 3; i++) generation.token();
      generation.finish(2);
    };
    const prompt = platform.worker.generations.length;
    await complete('acme', {}, { 'x-request-id': 'twice' });
    await (await complete('acme', { stream: true }, { 'x-request-id': 'twice' })).text();
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    await complete('other');
    await complete('operator');
    const promptTokens = platform.worker.generations[prompt]?.request.promptTokenIds.length ?? 0;
    const answer = await eventually(
      async () => JSON.parse((await usage('operator')).text) as { data: UsageResource[]; has_more: boolean },
      ({ data }) => data.reduce((sum, { requests }) => sum + requests, 0) === 4,
    );
    expect(answer).toMatchObject({ object: 'list', has_more: false });
    expect(answer.data[0]).toEqual({
      ...{ object: 'usage', tenant: 'acme', model: 'test-model', requests: 2 },
      ...{ prompt_tokens: 2 * promptTokens, cached_tokens: 4, completion_tokens: 6 },
      cost_micros: Math.ceil((2 * promptTokens - 4) * 1 + 4 * 0.1 + 6 * 2),
    });
    const other = JSON.parse((await usage('operator', `tenant=other&by=key,day&to=${today()}`)).text);
    expect(other.data.map((one: UsageResource) => [one.key, one.day, one.requests])).toEqual(
      [keys['other']?.id, keys['operator']?.id].sort().map((id) => [id, today(), 1]),
    );
  });

  it('given somebody who is no operator, then only the own tenant is seen, and others do not exist', async () => {
    const own = JSON.parse((await usage('acme', 'by=tenant')).text) as { data: UsageResource[] };
    expect(own.data.map(({ tenant }) => tenant)).toEqual(['acme']);
    expect((await usage('acme', 'tenant=other')).status).toBe(404);
    expect((await usage('acme', 'tenant=nobody')).text).toBe(
      (await usage('acme', 'tenant=other')).text.replace('other', 'nobody'),
    );
    const anonymous = await fetch(`${platform.url}/v1/usage`);
    expect(anonymous.status).toBe(401);
  });

  it('given CSV, then it has a head and the same figures; more lines than asked are announced', async () => {
    const { type, text } = await usage('operator', 'by=tenant&format=csv&limit=1');
    expect(type).toContain('text/csv');
    expect(text).toMatch(
      /^tenant,requests,prompt_tokens,cached_tokens,completion_tokens,cost_micros\r\nacme,2,\d+,4,6,\d+\r\n$/,
    );
    const model = new UsageResource({
      ...{ modelId: '=1+1,"x"', requests: 1, promptTokens: 1, cachedTokens: 0, completionTokens: 1, costNanos: 1 },
    });
    expect(toCsv(['model', 'cost_micros'], [model])).toBe('model,cost_micros\r\n"\'=1+1,""x""",1\r\n');
  });

  it.each([
    'by=nothing',
    'from=2026-13-01',
    'from=2026-02-30',
    'to=2025-02-29',
    'from=2026-11-30&to=2026-11-29',
    'to=2020-01-01',
    'limit=0',
    'format=xml',
    'what=1',
    'by=key,key',
  ])('given %s, then 400 names the parameter', async (query) => {
    const { status, text } = await usage('operator', query);
    expect([status, JSON.parse(text).error.param]).toEqual([400, query.split('=')[0]]);
  });

  it('given a tenant that is not there, then operators are told so; a day of a leap year is one', async () => {
    expect((await usage('operator', 'tenant=nobody')).status).toBe(404);
    expect((await usage('operator', 'from=2024-02-29&to=2024-02-29')).status).toBe(200);
  });

  it('given a gateway that starts anew, then quotas go on where the ledger stands', async () => {
    await platform.stop();
    platform = await start();
    const text = await (await complete('acme', { max_tokens: 100, stream: true })).text();
    expect(text).toContain('tokens per day: Limit 40, Used 40');
    await eventually(
      async () => JSON.parse((await usage('acme', 'by=')).text || '{}').data?.[0] as UsageResource,
      (sum) => sum !== undefined && sum.prompt_tokens + sum.completion_tokens === 40,
    );
  });
});
