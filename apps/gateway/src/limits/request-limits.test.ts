import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, Metadata, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { IdentityStore } from '#lib/auth';
import { FinishReason, publicApi } from '#lib/contracts';
import { type Database, openDatabase } from '#lib/database';
import type { Limits } from '#lib/limits';
import { openStream, post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

const ACTOR = { name: 'test', address: '' };

let database: Database;
let store: IdentityStore;
let platform: TestPlatform;
let tenants = 0;

beforeAll(async () => {
  const url = `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-limits-')), 'hydra.db')}`;
  database = await openDatabase(url);
  store = new IdentityStore(database);
  platform = await startTestPlatform({ auth: { mode: 'required', refreshIntervalMs: 20 }, database: { url } });
});
beforeEach(() => {
  platform.worker.onSubmit = (generation) => void generation.runToEnd();
});
afterAll(async () => {
  await platform.stop();
  await database.destroy();
});

/** A tenant with these limits. @returns what its requests carry */
async function limited(limits: Limits): Promise<{ authorization: string }> {
  const tenantId = `tenant-${tenants++}`;
  await store.tenants.create({ id: tenantId, name: tenantId }, ACTOR);
  await store.tenants.createAccount({ tenantId, name: 'bot', roles: ['user'] }, ACTOR);
  await store.limits.set(tenantId, { keyId: undefined, limits }, ACTOR);
  const wish = { tenantId, accountName: 'bot', scopes: ['inference' as const], expiresAtMs: undefined };
  return { authorization: `Bearer ${(await store.keys.create(wish, ACTOR)).text}` };
}
const complete = (headers: Record<string, string>, extra: object = {}) =>
  post(`${platform.url}/v1/completions`, { model: 'default', prompt: 'hello', max_tokens: 5, ...extra }, headers);
const errorOf = async (response: Response) =>
  ((await response.json()) as { error: { code: string; type: string; message: string } }).error;

describe('limits of a tenant', () => {
  it('given requests per minute, then headers count down and the next is 429 with the time to come back', async () => {
    const headers = await limited({ requestsPerMinute: 2 });
    const first = await complete(headers);
    expect(first.status).toBe(200);
    expect(first.headers.get('x-ratelimit-limit-requests')).toBe('2');
    expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('1');
    expect(first.headers.get('x-ratelimit-reset-requests')).toMatch(/^\d+\.\d{3}s$/);
    const streamed = await complete(headers, { stream: true });
    expect(streamed.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    await streamed.text();
    const refused = await complete(headers);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(await errorOf(refused)).toMatchObject({
      ...{
        code: 'rate_limit_exceeded',
        type: 'requests',
        message: expect.stringContaining('Limit 2, Used 2, Requested 1'),
      },
    });
  });

  it('given tokens per minute, then what was reserved and not used is free again', async () => {
    const headers = await limited({ tokensPerMinute: 70 });
    platform.worker.onSubmit = (generation) => {
      generation.token(FinishReason.STOP);
      generation.finish();
    };
    for (let i = 0; i < 3; i++) expect((await complete(headers, { max_tokens: 50 })).status).toBe(200);
    const refused = await complete(headers, { max_tokens: 50 });
    expect(refused.status).toBe(429);
    expect(await errorOf(refused)).toMatchObject({ code: 'rate_limit_exceeded', type: 'tokens' });
    const tooLarge = await complete(headers, { max_tokens: 100 });
    expect(tooLarge.status).toBe(429);
    expect(tooLarge.headers.get('retry-after')).toBeNull();
    expect((await errorOf(tooLarge)).message).toContain('Request too large');
  });

  it('given as many streams as may run, then the next is refused until one ends, or its client leaves', async () => {
    const headers = await limited({ concurrentRequests: 1 });
    platform.worker.onSubmit = (generation) => generation.token();
    const running = platform.worker.generations.length;
    const open = openStream(
      `${platform.url}/v1/completions`,
      { model: 'default', prompt: 'hello', max_tokens: 5, stream: true },
      headers,
    );
    await open.response;
    await platform.worker.generation(running);
    expect(await errorOf(await complete(headers))).toMatchObject({
      message: expect.stringContaining('requests at once'),
    });
    open.abort();
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    await vi.waitFor(async () => expect((await complete(headers)).status).toBe(200), 10_000);
  });

  it('given one tenant at its limit, then another one is not', async () => {
    const [first, second] = [await limited({ requestsPerMinute: 1 }), await limited({ requestsPerMinute: 1 })];
    await complete(first);
    expect((await complete(first)).status).toBe(429);
    expect((await complete(second)).status).toBe(200);
  });

  it('given calls of gRPC, then they count like those of REST', async () => {
    const headers = await limited({ requestsPerMinute: 1 });
    await complete(headers);
    const client = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('authorization', headers.authorization);
    const request = publicApi.CompletionRequest.fromPartial({
      ...{ model: 'default', prompts: [{ value: { $case: 'text', value: 'hello' } }], options: { maxTokens: 2 } },
    });
    const error = await new Promise((resolve) => client.complete(request, metadata, resolve));
    expect(error).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect((error as { metadata: Metadata }).metadata.get('hydra-error-code')).toEqual(['rate_limit_exceeded']);
    client.close();
  });

  it('given limits that are taken away, then soon nothing is refused', async () => {
    const headers = await limited({ requestsPerMinute: 1 });
    await complete(headers);
    expect((await complete(headers)).status).toBe(429);
    await store.limits.set(`tenant-${tenants - 1}`, { keyId: undefined, limits: {} }, ACTOR);
    await vi.waitFor(async () => expect((await complete(headers)).status).toBe(200), 10_000);
  });
});
