import { mkdtempSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, expect, it, vi } from 'vitest';
import { IdentityStore } from '#lib/auth';
import { openDatabase } from '#lib/database';
import { UsageLedger } from '#lib/ledger';
import { startPlatform } from '../support/platform.js';
import { GatewayProcess } from './support/gateway-process.js';
import { checkHistory, recordHistory } from './support/quota-history.js';
import { startRedis } from './support/redis.js';

/** `scripts/test-quotas.sh` runs it with 1,000. */
const STREAMS = Number(process.env['HYDRA_TEST_STREAMS'] ?? 150);
const GATEWAYS = 4;
const KILLS = 4;
/** Of the answers, in turn. */
const OUTPUT_TOKENS = [10, 35, 60, 85, 110];
const TENANT = 'acme';
const ACTOR = { name: 'test', address: '' };

const closers: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closers.toReversed()) await close();
});

interface Received {
  /** Of the answer; empty when nothing came. */
  id: string;
  tokens: number;
  /** `done`, a code of an error, or `broken` when the connection broke off. */
  end: string;
}

/** Reads a stream to its end, whatever that is. @param onToken  called for each event with tokens */
function readStream(url: string, key: string, maxTokens: number, onToken: () => void): Promise<Received> {
  const received: Received = { id: '', tokens: 0, end: 'broken' };
  return new Promise((resolve) => {
    const request = httpRequest(`${url}/v1/completions`, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    });
    const end = () => resolve(received);
    request.once('error', end);
    request.once('close', end);
    request.once('response', (response) => {
      let rest = '';
      response.setEncoding('utf8').on('error', end);
      response.on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (line === 'data: [DONE]') received.end = 'done';
          if (!line.startsWith('data: {')) continue;
          const event = JSON.parse(line.slice(6));
          if (event.error !== undefined) received.end = event.error.code;
          const tokens = event.choices?.[0]?.token_ids?.length ?? 0;
          if (tokens === 0) continue;
          received.id = String(event.id).replace('cmpl-', '');
          received.tokens += tokens;
          onToken();
        }
      });
      response.on('end', () => {
        if (response.statusCode !== 200) received.end = JSON.parse(rest || '{}').error?.code ?? 'broken';
      });
    });
    request.end(
      JSON.stringify({
        ...{ model: 'default', prompt: 'one two three', max_tokens: maxTokens, ignore_eos: true },
        ...{ stream: true, return_token_ids: true },
      }),
    );
  });
}

it('given gateways that are killed under many streams, then the quota holds to the token, nothing leaks, and only what does not fit is refused', async () => {
  const redisServer = await startRedis();
  closers.push(() => redisServer.stop());
  const folder = mkdtempSync(join(tmpdir(), 'hydra-quotas-'));
  const databaseUrl = `sqlite:${join(folder, 'hydra.db')}`;
  const database = await openDatabase(databaseUrl);
  closers.push(() => database.destroy());
  const store = new IdentityStore(database);
  await store.tenants.create({ id: TENANT, name: TENANT }, ACTOR);
  await store.tenants.createAccount({ tenantId: TENANT, name: 'bot', roles: ['user'] }, ACTOR);
  const quota = STREAMS * 40;
  await store.limits.set(TENANT, { keyId: undefined, modelId: undefined, limits: { tokensPerMonth: quota } }, ACTOR);
  const wish = { tenantId: TENANT, accountName: 'bot', scopes: ['inference' as const], expiresAtMs: undefined };
  const { text: key } = await store.keys.create(wish, ACTOR);

  const config = join(folder, 'hydra.yaml');
  writeFileSync(config, 'limits: { sliceTokens: 16 }');
  const shared = {
    ...{ HYDRA_ENGINE: 'mock', HYDRA_AUTH: 'required', HYDRA_DATABASE_URL: databaseUrl },
    ...{ HYDRA_REDIS_URL: redisServer.url, HYDRA_LOG_LEVEL: 'warn', HYDRA_CONFIG: config },
    ...{ HYDRA_MOCK_SLOTS: String(STREAMS), HYDRA_MOCK_KV_TOKENS: '1000000', HYDRA_MOCK_ITL_MS: String(STREAMS / 2) },
  };
  const platform = await startPlatform({ env: { ...shared, HYDRA_LOG_LEVEL: 'info' } });
  closers.push(() => platform.stop());
  const env = { ...shared, HYDRA_SCHEDULER_TARGET: platform.schedulerTarget };
  const gateways = await Promise.all(Array.from({ length: GATEWAYS }, () => GatewayProcess.start(env)));
  closers.push(() => Promise.all(gateways.map((gateway) => gateway.end('SIGTERM'))));
  const redis = new Redis(redisServer.url);
  closers.push(async () => redis.disconnect());
  const { history, stop } = await recordHistory(redis);

  let events = 0;
  let kills = 0;
  let killing = Promise.resolve();
  const killSome = () => {
    events++;
    if (kills >= KILLS || events < ((kills + 1) * STREAMS * 20) / (KILLS + 1)) return;
    const victim = Math.floor(Math.random() * GATEWAYS);
    kills++;
    killing = killing.then(async () => {
      await gateways[victim]?.end('SIGKILL');
      gateways[victim] = await GatewayProcess.start(env);
    });
  };
  const received = await Promise.all(
    Array.from({ length: STREAMS }, (_, index) => {
      const maxTokens = OUTPUT_TOKENS[index % OUTPUT_TOKENS.length] ?? 1;
      return readStream(String(gateways[index % GATEWAYS]?.url), key, maxTokens, killSome);
    }),
  );
  await killing;
  const keys = `hydra:limits:{${TENANT}}`;
  await vi.waitFor(
    async () => expect([await redis.hlen(`${keys}:live`), await redis.xlen(`${keys}:outbox`)]).toEqual([0, 0]),
    { timeout: 60_000, interval: 100 },
  );
  const checked = checkHistory(history, TENANT, quota);
  stop();

  expect(checked.violations).toEqual([]);
  expect(checked.liveTokens).toBe(0);
  expect(checked.charged).toBeGreaterThan(0);
  expect(checked.refusals).toBeGreaterThan(0);
  const today = Math.floor(Date.now() / 86_400_000);
  const ledger = new UsageLedger(database);
  const [sum] = await ledger.sums({ fromDay: today - 1, toDay: today, by: [], limit: 1 });
  const spent = (sum?.promptTokens ?? 0) + (sum?.completionTokens ?? 0);
  expect(spent).toBe(checked.settledTokens);
  expect(spent).toBeLessThanOrEqual(quota);
  const rows = await database.selectFrom('usageEntries').selectAll().execute();
  const charged = new Map(rows.map((row) => [row.id, row]));
  expect(charged.size).toBe(rows.length);
  for (const { id, tokens, end } of received) {
    if (id === '') continue;
    const { completionTokens = -1, outcome } = charged.get(id) ?? {};
    expect(completionTokens, `answer ${id} of which ${tokens} tokens came, ${end}`).toBeGreaterThanOrEqual(tokens);
    if (outcome !== 'gateway-lost' && end !== 'broken') expect(completionTokens).toBe(tokens);
  }
  const ends = Map.groupBy(received, ({ end }) => end);
  process.stdout.write(
    `${STREAMS} streams, ${kills} kills, ${[...ends].map(([end, all]) => `${end} ${all.length}`).join(', ')}; spent ${spent} of ${quota}; ${checked.grants} grants, ${checked.refusals} refusals, ${checked.charged} reservations of the dead\n`,
  );
});
