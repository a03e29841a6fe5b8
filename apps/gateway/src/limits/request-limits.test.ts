import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, Metadata, status } from '@grpc/grpc-js';
import { register } from 'prom-client';
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
  platform = await startTestPlatform({
    auth: { mode: 'required', refreshIntervalMs: 20 },
    database: { url },
    limits: { sliceTokens: 8 },
    price: { input: 100, output: 1_000 },
  });
});
beforeEach(() => {
  platform.worker.onSubmit = (generation) => void generation.runToEnd();
});
afterAll(async () => {
  await platform.stop();
  await database.destroy();
});

/** A tenant with these limits. @returns what its requests carry */
async function limited(limits: Limits, modelId?: string): Promise<{ authorization: string }> {
  const tenantId = `tenant-${tenants++}`;
  await store.tenants.create({ id: tenantId, name: tenantId }, ACTOR);
  await store.tenants.createAccount({ tenantId, name: 'bot', roles: ['user'] }, ACTOR);
  await store.limits.set(tenantId, { keyId: undefined, modelId, limits }, ACTOR);
  const wish = { tenantId, accountName: 'bot', scopes: ['inference' as const], expiresAtMs: undefined };
  return { authorization: `Bearer ${(await store.keys.create(wish, ACTOR)).text}` };
}
const complete = (headers: Record<string, string>, extra: object = {}) =>
  post(`${platform.url}/v1/completions`, { model: 'default', prompt: 'hello', max_tokens: 5, ...extra }, headers);
function monthLeftS(): number {
  const now = new Date();
  return (Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1) - now.getTime()) / 1_000;
}
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
    expect((await errorOf(tooLarge)).message).toMatch(/^Request too large .* with 'max_tokens'\.$/);
    expect([refused, tooLarge].map(({ headers }) => headers.get('x-should-retry'))).toEqual([null, 'false']);
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

  it('given a limit of requests that is reached, then a body is not even looked at; one of a model is, but no prompt', async () => {
    const [tenant, model] = [
      await limited({ requestsPerMinute: 1 }),
      await limited({ requestsPerMinute: 1 }, 'test-model'),
    ];
    for (const headers of [tenant, model]) expect((await complete(headers)).status).toBe(200);
    const broken = await post(`${platform.url}/v1/completions`, '{', tenant);
    expect([broken.status, (await errorOf(broken)).code]).toEqual([429, 'rate_limit_exceeded']);
    const tooLong = await complete(model, { prompt: 'hello '.repeat(1_000) }); // 400 for who may ask
    expect([tooLong.status, (await errorOf(tooLong)).code]).toEqual([429, 'rate_limit_exceeded']);
    const embedding = await post(`${platform.url}/v1/embeddings`, { model: 'default', input: 'x' }, tenant);
    expect(embedding.status).toBe(429);
  });

  it('given a limit with another model, then it does not hold for this one', async () => {
    const headers = await limited({ requestsPerMinute: 1, tokensPerDay: 1 }, 'sleeping-model');
    for (let i = 0; i < 3; i++) expect((await complete(headers)).status).toBe(200);
  });

  it('given a quota of tokens, then an answer breaks off where it ends, and later requests are told', async () => {
    const headers = await limited({ tokensPerMonth: 30 });
    const first = await complete(headers, { max_tokens: 5 });
    const { usage } = (await first.json()) as { usage: { prompt_tokens: number; total_tokens: number } };
    expect(first.headers.get('x-ratelimit-limit-tokens')).toBeNull();
    const text = await (await complete(headers, { max_tokens: 100, stream: true })).text();
    const events = text.split('\n\n').filter((event) => event.startsWith('data: '));
    const last = JSON.parse(events.at(-1)?.slice(6) ?? '');
    expect(last.error).toMatchObject({ code: 'insufficient_quota', type: 'insufficient_quota' });
    expect(events.length - 1).toBe(30 - usage.total_tokens - usage.prompt_tokens);
    const refused = await complete(headers);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(1);
    // OpenAI's client for Node would wait for the end of the month.
    expect(refused.headers.get('x-should-retry')).toBe(monthLeftS() > 120 ? 'false' : null);
    expect(await errorOf(refused)).toMatchObject({
      ...{ code: 'insufficient_quota', type: 'insufficient_quota' },
      message: expect.stringContaining('tokens per month: Limit 30, Used 30, Requested'),
    });
  });

  it('given a quota that ends within an answer sent whole, then what it covers is delivered and counts, once', async () => {
    const headers = await limited({ tokensPerMonth: 20 });
    const cut = await complete(headers, { max_tokens: 100, return_token_ids: true });
    expect(cut.status).toBe(200);
    const { choices, usage } = (await cut.json()) as {
      choices: { finish_reason: string; token_ids: number[] }[];
      usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
    };
    expect(usage.total_tokens).toBe(20);
    expect(choices.map(({ finish_reason, token_ids }) => [finish_reason, token_ids.length])).toEqual([
      ['length', usage.completion_tokens],
    ]);
    for (let i = 0; i < 2; i++) {
      const refused = await complete(headers, { max_tokens: 100 });
      expect([refused.status, (await errorOf(refused)).code]).toEqual([429, 'insufficient_quota']);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(1);
    }
  });

  it('given several choices that a quota cuts, then each ends where it is, and all together are what was paid for', async () => {
    const headers = await limited({ tokensPerMonth: 40 });
    const asked = { max_tokens: 100, n: 2, prompt: ['hello', 'there'], return_token_ids: true };
    const { choices, usage } = (await (await complete(headers, asked)).json()) as {
      choices: { finish_reason: string; token_ids: number[] }[];
      usage: { completion_tokens: number; total_tokens: number };
    };
    expect(choices.map(({ finish_reason }) => finish_reason)).toEqual(Array(4).fill('length'));
    expect(choices.reduce((sum, { token_ids }) => sum + token_ids.length, 0)).toBe(usage.completion_tokens);
    expect(usage.total_tokens).toBeGreaterThan(30);
    expect(usage.total_tokens).toBeLessThanOrEqual(40);
  });

  it('given a quota that ends within tokens that were gathered, then all that it covers is delivered, shared among the choices', async () => {
    const headers = await limited({ tokensPerMonth: 40 });
    platform.worker.onSubmit = (generation) => {
      generation.token();
      generation.gathered(63, FinishReason.LENGTH);
      generation.finish();
    };
    const asked = { max_tokens: 64, n: 2, return_token_ids: true };
    const { choices, usage } = (await (await complete(headers, asked)).json()) as {
      choices: { finish_reason: string; token_ids: number[]; text: string }[];
      usage: { completion_tokens: number; total_tokens: number };
    };
    expect(usage.total_tokens).toBe(40);
    const lengths = choices.map(({ token_ids }) => token_ids.length);
    expect(lengths.reduce((sum, length) => sum + length)).toBe(usage.completion_tokens);
    expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
    for (const { token_ids, text, finish_reason } of choices) {
      expect(text).toBe(token_ids.map((_, index) => ` w${index}`).join(''));
      expect(finish_reason).toBe('length');
    }
  });

  it('given a quota that ends within tokens that a stream brought together, then the error counts what was delivered', async () => {
    const headers = await limited({ tokensPerMonth: 20 });
    platform.worker.onSubmit = (generation) => {
      generation.gathered(64, FinishReason.LENGTH);
      generation.finish();
    };
    const text = await (await complete(headers, { max_tokens: 64, stream: true, return_token_ids: true })).text();
    const events = text
      .split('\n\n')
      .flatMap((event) => (event.startsWith('data: ') ? [JSON.parse(event.slice(6))] : []));
    expect(events.at(-1).error.message).toContain('Limit 20, Used 20, Requested 1.');
    const delivered = events.slice(0, -1).flatMap(({ choices }) => choices[0].token_ids ?? []);
    expect(delivered).toEqual(Array.from({ length: delivered.length }, (_, index) => index));
    expect(delivered.length).toBeGreaterThan(10);
  });

  it('given a budget, then it is spent at the prices of the model, to the last token that it pays for', async () => {
    const headers = await limited({ costMicrosPerDay: 12 });
    const text = await (await complete(headers, { max_tokens: 100, stream: true })).text();
    const events = text.split('\n\n').filter((event) => event.startsWith('data: '));
    expect(events.at(-1)).toContain('cost per day in millionths: Limit 12');
    expect(events.length - 1).toBe(11); // a prompt of less than 10 tokens at 0.1, then 1 each
    const metrics = await register.metrics();
    const tenant = `tenant-${tenants - 1}`;
    expect(metrics).toContain(`hydra_gateway_tenant_tokens_total{tenant="${tenant}",kind="completion"} 11`);
    expect(metrics).toMatch(new RegExp(`hydra_gateway_tenant_cost_total\\{tenant="${tenant}"\\} 0\\.0000115`));
  });

  it('given limits that are taken away, then soon nothing is refused', async () => {
    const headers = await limited({ requestsPerMinute: 1 });
    await complete(headers);
    expect((await complete(headers)).status).toBe(429);
    await store.limits.set(`tenant-${tenants - 1}`, { keyId: undefined, modelId: undefined, limits: {} }, ACTOR);
    await vi.waitFor(async () => expect((await complete(headers)).status).toBe(200), 10_000);
  });
});
