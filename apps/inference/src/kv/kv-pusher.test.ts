import { register } from 'prom-client';
import { afterEach, expect, it, vi } from 'vitest';
import { openChannelSecurity } from '#lib/channels';
import { type HydraConfig, hydraSchema, type ModelConfig } from '#lib/config';
import type { KvLayout } from '#lib/contracts';
import { KvBlockStore, MemoryTier } from '#lib/kv-store';
import { createLogger } from '#lib/observability';
import { EventLog } from '../../../../libs/engine/testing/event-log.js';
import { type RequestParts, requestOf } from '../../../../libs/engine/testing/requests.js';
import { syntheticEngine } from '../../../../libs/engine/testing/synthetic-engine.js';
import { SyntheticModelRunner } from '../../../../libs/engine/testing/synthetic-model-runner.js';
import { servingKvBlocks } from '../../../../libs/kv-transfer/testing/kv-blocks.js';
import { EngineHost } from '../engine/engine-host.js';
import { KvTransferMetrics } from '../observation/kv-transfer-metrics.js';
import { WorkerIdentity } from '../worker-identity.js';
import { EngineKvBlocks } from './engine-kv-blocks.js';
import { KvCaches } from './kv-caches.js';
import { KvClients } from './kv-clients.js';
import { KvFetcher } from './kv-fetcher.js';
import { KvPusher } from './kv-pusher.js';

const TRACE = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`, tracestate: '' };
const logger = createLogger('test', { level: 'silent', format: 'json' });
const security = openChannelSecurity({ tls: 'off', certificates: {} as never }, 'worker', logger);
const observer = { found() {}, stored() {}, refused() {}, damaged() {}, called() {} };
const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Has what it is given, or never answers whoever asks how much it has. */
class Store extends KvBlockStore {
  readonly memory: MemoryTier;
  isStuck = false;
  asked = 0;

  constructor() {
    const memory = new MemoryTier({ bytes: 16 * 1024 * 1024 });
    super({ memory, maxBlockBytes: 1_000, observer });
    this.memory = memory;
  }

  override has(layout: KvLayout, hashes: readonly Uint8Array[], signal: AbortSignal): Promise<number> {
    return this.isStuck ? stuck(signal) : super.has(layout, hashes, signal);
  }

  override async *read(layout: KvLayout, hashes: readonly Uint8Array[], signal: AbortSignal) {
    this.asked++;
    if (this.isStuck) await stuck(signal);
    yield* super.read(layout, hashes, signal);
  }
}

function stuck(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

/** A cache on a socket. */
async function startedCache() {
  const store = new Store();
  const serving = await servingKvBlocks({ source: store, sink: store });
  ends.push(() => serving.close());
  return { store, target: serving.target };
}

/** A worker that knows the caches. */
async function startedWorker(targets: readonly string[], kvFetchTimeoutMs = 5_000) {
  const runner = () =>
    new SyntheticModelRunner({ isExact: true, contextTokens: 800, blockPlaces: 2_000, kvTotalBytes: 8_000 });
  const host = new EngineHost(
    syntheticEngine(() => runner(), 64),
    logger,
  );
  const log = new EventLog();
  host.onEvent(log.listener);
  const config: HydraConfig = hydraSchema.parse({
    workers: { kvFetchTimeoutMs },
    kvcache: { targets, fetch: 'always' },
  });
  const metrics = new KvTransferMetrics(new WorkerIdentity('worker', 1, { id: 'model' } as ModelConfig));
  const clients = new KvClients(security);
  ends.push(() => clients.onApplicationShutdown());
  const caches = new KvCaches(config, clients);
  const fetcher = new KvFetcher(config, host, clients, caches, metrics);
  const pusher = new KvPusher(config, host, new EngineKvBlocks(host), caches, metrics);
  ends.push(() => pusher.onApplicationShutdown());
  const parent = { child: () => ({ set() {}, end() {}, traceContext: TRACE }) } as never;
  const requests = new Map<string, ReturnType<typeof requestOf>>();
  host.onEvent((event) => {
    if (event.kind === 'blocks-wanted')
      fetcher.begin({ request: requests.get(event.generationId)!, parent }, event.wanted);
  });
  await host.prepare();
  ends.push(() => host.stop());
  const answered = async (parts: RequestParts) => {
    const request = fetcher.withCaches(requestOf(parts));
    requests.set(request.generationId, request);
    host.engine.submit(request);
    const { usage } = await log.end(request.generationId);
    return { tokenIds: log.sequence(request.generationId).tokenIds, cached: usage?.cachedPromptTokens };
  };
  const pushed = async (outcome: string) => {
    const { values } = await register.getSingleMetric('hydra_worker_kv_pushed_blocks_total')!.get();
    return values.find(({ labels }) => labels['outcome'] === outcome)?.value ?? 0;
  };
  return { answered, pushed };
}

/** 150 blocks of 4 tokens: three segments. */
const LONG = Array.from({ length: 601 }, (_, index) => (index * 7 + (index >> 5)) % 61);

it('given a prompt of several segments that A computed, when B has it, then it comes from all caches that have a part of it', async () => {
  const caches = await Promise.all([startedCache(), startedCache(), startedCache()]);
  const targets = caches.map(({ target }) => target);
  const a = await startedWorker(targets);
  const cold = await a.answered({ promptTokenIds: LONG });
  await vi.waitFor(async () => expect(await a.pushed('stored')).toBeGreaterThanOrEqual(150));
  const own = await a.answered({ promptTokenIds: LONG });
  expect(own.cached).toBeGreaterThan(2 * 64 * 4); // in the third segment
  const b = await startedWorker(targets.toReversed());
  expect(await b.answered({ promptTokenIds: LONG })).toEqual({ tokenIds: cold.tokenIds, cached: own.cached });
  expect((await b.answered({ promptTokenIds: LONG, cacheSalt: Buffer.from('another') })).cached).toBe(0);
});

it('given blocks that the caches have, when a worker computes them too, then they do not travel again', async () => {
  const { target } = await startedCache();
  const a = await startedWorker([target]);
  await a.answered({ promptTokenIds: LONG });
  await vi.waitFor(async () => expect(await a.pushed('stored')).toBeGreaterThanOrEqual(150));
  const b = await startedWorker([target]);
  await b.answered({ promptTokenIds: LONG });
  await vi.waitFor(async () => expect(await b.pushed('held')).toBeGreaterThanOrEqual(150));
  expect(await b.pushed('stored')).toBeLessThan(10); // of the answer alone
});

it('given a cache that never answers, when prompts come, then each is computed, and after three it is left alone', async () => {
  const { target, store } = await startedCache();
  store.isStuck = true;
  const worker = await startedWorker([target], 50);
  for (let n = 0; n < 8; n++) {
    const { cached } = await worker.answered({ promptTokenIds: LONG.map((id) => (id + n + 1) % 61) });
    expect(cached).toBe(0);
  }
  expect(store.asked).toBeLessThanOrEqual(5); // three, and a trial after each pause
});
