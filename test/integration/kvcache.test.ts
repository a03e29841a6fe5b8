import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { clientChannelOptions } from '#lib/channels';
import { type KvBlock, KvBlocksClient, type PutKvBlocksResponse } from '#lib/contracts';
import { blocksOf, TEST_LAYOUT } from '../../libs/kv-transfer/testing/kv-blocks.js';
import { metricSum } from '../support/metrics.js';
import { WorkerProcess } from '../support/worker-process.js';
import { type RunningRedis, startRedis } from './support/redis.js';

const MAIN = fileURLToPath(new URL('../../dist/apps/kvcache/src/main.js', import.meta.url));
const CHAIN = blocksOf(Array.from({ length: 40 }, (_, id) => id));

let redis: RunningRedis;
const running: WorkerProcess[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  for (const app of running) app.signal('SIGKILL');
  await redis.stop();
});

async function startKvcache() {
  const ports = { HYDRA_KVCACHE_GRPC_PORT: '0', HYDRA_KVCACHE_HTTP_PORT: '0' };
  const app = new WorkerProcess({ ...ports, HYDRA_CONFIG: '', HYDRA_KVCACHE_REDIS_URL: redis.url }, MAIN);
  running.push(app);
  const { grpcPort, httpPort } = await app.ready();
  const client = new KvBlocksClient(`127.0.0.1:${grpcPort}`, credentials.createInsecure(), clientChannelOptions());
  const metric = async (name: string, labels = {}) =>
    metricSum(await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text(), name, labels);
  await vi.waitFor(async () => expect(await metric('hydra_kvcache_redis_up')).toBe(1), 10_000);
  return { app, client, metric };
}

function put(client: KvBlocksClient, blocks: readonly KvBlock[]): Promise<PutKvBlocksResponse> {
  return new Promise((resolve, reject) => {
    const call = client.put((error, answer) => (error === null ? resolve(answer) : reject(error)));
    for (const block of blocks) call.write(block);
    call.end();
  });
}

async function get(client: KvBlocksClient): Promise<KvBlock[]> {
  const asked = { layout: TEST_LAYOUT, blockHashes: CHAIN.map(({ blockHash }) => blockHash) };
  const received: KvBlock[] = [];
  for await (const block of client.get(asked) as AsyncIterable<KvBlock>) received.push(block);
  return received;
}

it('given blocks that were given to a cache with Redis behind, when it ends and another starts, then that has them', async () => {
  const first = await startKvcache();
  expect(await put(first.client, CHAIN)).toEqual({ storedBlocks: CHAIN.length, refusedBlocks: 0 });
  expect(await first.app.stop()).toBe(0); // what waited is written before
  const second = await startKvcache();
  expect(await second.metric('hydra_kvcache_memory_blocks')).toBe(0);
  expect(await get(second.client)).toEqual(CHAIN);
  expect(await second.metric('hydra_kvcache_found_blocks_total', { tier: 'redis' })).toBe(CHAIN.length);
  expect(await get(second.client)).toEqual(CHAIN);
  expect(await second.metric('hydra_kvcache_found_blocks_total', { tier: 'memory' })).toBe(CHAIN.length);
});

it('given a cache whose Redis goes away, when asked, then it answers from memory', async () => {
  const { client, app } = await startKvcache();
  await put(client, CHAIN);
  await redis.stop('SIGKILL');
  expect(await get(client)).toEqual(CHAIN);
  expect(await app.stop()).toBe(0);
  redis = await startRedis();
});
