import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { IdentityStore } from '#lib/auth';
import { FailureCode } from '#lib/contracts';
import { openDatabase } from '#lib/database';
import { connectRedis } from '#lib/limits-redis';
import { describeAnswerStore } from '../../apps/gateway/src/idempotency/answer-store.conformance.js';
import { RedisAnswerStore } from '../../apps/gateway/src/idempotency/redis-answer-store.js';
import { post, startTestPlatform, type TestPlatform } from '../../apps/gateway/src/test-support/test-platform.js';
import { type RunningRedis, startRedis } from './support/redis.js';

const ACTOR = { name: 'test', address: '' };
const databaseUrl = `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-answers-')), 'hydra.db')}`;
const closers: (() => Promise<unknown>)[] = [];
const keys: Record<string, string> = {};
let redis: RunningRedis;
let gateways: TestPlatform[];

const start = async () => {
  const platform = await startTestPlatform({
    auth: { mode: 'required', refreshIntervalMs: 20 },
    database: { url: databaseUrl },
    limits: { redisUrl: redis.url },
  });
  platform.worker.onSubmit = (generation) => void generation.runToEnd();
  closers.push(() => platform.stop());
  return platform;
};

beforeAll(async () => {
  redis = await startRedis();
  closers.push(() => redis.stop());
  const database = await openDatabase(databaseUrl);
  const store = new IdentityStore(database);
  for (const tenantId of ['acme', 'other']) {
    await store.tenants.create({ id: tenantId, name: tenantId }, ACTOR);
    await store.tenants.createAccount({ tenantId, name: 'bot', roles: ['user'] }, ACTOR);
    const wish = { tenantId, accountName: 'bot', scopes: ['inference'] as const, expiresAtMs: undefined };
    keys[tenantId] = (await store.keys.create(wish, ACTOR)).text;
  }
  await database.destroy();
  gateways = [await start(), await start()];
});
afterAll(async () => {
  for (const close of closers.toReversed()) await close();
});

const ask = (gateway: number, tenantId: string, key: string, prompt = 'hello') =>
  post(
    `${gateways[gateway]?.url}/v1/completions`,
    { model: 'default', prompt, max_tokens: 3 },
    { authorization: `Bearer ${keys[tenantId]}`, 'idempotency-key': key },
  );
const isReplayed = ({ headers }: Response) => headers.get('idempotent-replayed') === 'true';
const generated = () => gateways.map(({ worker }) => worker.generations.length);

describeAnswerStore('in Redis', async (bounds) => {
  const client = connectRedis(redis.url, false);
  closers.push(async () => client.disconnect());
  await vi.waitFor(() => expect(client.status).toBe('ready'), 10_000);
  return new RedisAnswerStore(client, bounds);
});

it('given a retry that reaches another gateway, then the answer is the same, and nothing is generated', async () => {
  const first = await ask(0, 'acme', 'retried');
  const text = await first.text();
  const before = generated();
  const retry = await ask(1, 'acme', 'retried');
  expect([retry.status, isReplayed(retry), await retry.text()]).toEqual([200, true, text]);
  expect(generated()).toEqual(before);
  expect((await ask(1, 'acme', 'retried', 'something else')).status).toBe(422);
});

it('given the same key and request of another tenant, then the answer is one of its own', async () => {
  const text = await (await ask(0, 'acme', 'common')).text();
  for (const gateway of [0, 1]) {
    const other = await ask(gateway, 'other', 'common');
    expect(other.status).toBe(200);
    expect(await other.text()).not.toBe(text);
  }
});

it('given a request that still runs at one gateway, then it is in use at the other, and free when it failed', async () => {
  const [{ worker }] = gateways as [TestPlatform];
  const { onSubmit } = worker;
  let fail = () => {};
  worker.onSubmit = (generation) => {
    fail = () => generation.fail(FailureCode.ENGINE_ERROR, false);
  };
  const running = worker.generations.length;
  const first = ask(0, 'acme', 'slow');
  await worker.generation(running);
  expect((await ask(1, 'acme', 'slow')).status).toBe(409);
  fail();
  expect((await first).status).toBeGreaterThanOrEqual(400);
  worker.onSubmit = onSubmit;
  expect((await ask(1, 'acme', 'slow')).status).toBe(200);
});
