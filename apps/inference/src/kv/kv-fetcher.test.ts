import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { openChannelSecurity } from '#lib/channels';
import type { HydraConfig, ModelConfig } from '#lib/config';
import { type KvBlock, type KvLayout, KvSourceKind } from '#lib/contracts';
import type { Engine } from '#lib/engine';
import { hashBlocks, prefixSeed } from '#lib/kv';
import { KvBlockSource } from '#lib/kv-transfer';
import { createLogger } from '#lib/observability';
import { EventLog } from '../../../../libs/engine/testing/event-log.js';
import { type RequestParts, requestOf } from '../../../../libs/engine/testing/requests.js';
import { syntheticEngine } from '../../../../libs/engine/testing/synthetic-engine.js';
import {
  SyntheticModelRunner,
  type SyntheticModelRunnerOptions,
} from '../../../../libs/engine/testing/synthetic-model-runner.js';
import { type ServingKvBlocks, servingKvBlocks } from '../../../../libs/kv-transfer/testing/kv-blocks.js';
import { EngineHost } from '../engine/engine-host.js';
import { KvTransferMetrics } from '../observation/kv-transfer-metrics.js';
import { WorkerIdentity } from '../worker-identity.js';
import { EngineKvBlocks } from './engine-kv-blocks.js';
import { KvCaches } from './kv-caches.js';
import { KvClients } from './kv-clients.js';
import { KvFetcher } from './kv-fetcher.js';

const BLOCK_TOKENS = 4;
const TRACE = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`, tracestate: '' };
const logger = createLogger('test', { level: 'silent', format: 'json' });
const security = openChannelSecurity({ tls: 'off', certificates: {} as never }, 'worker', logger);
const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** What a source does to one of the blocks it sends. */
type Fault = 'none' | 'bytes' | 'tokens' | 'name' | 'layout' | 'lost' | 'refused' | 'stuck';

/** Sends what another has, with faults. */
class FaultySource extends KvBlockSource {
  faults: readonly Fault[] = [];
  sent = 0;

  constructor(private readonly source: KvBlockSource) {
    super();
  }

  override has(...asked: Parameters<KvBlockSource['has']>): Promise<number> {
    return this.source.has(...asked);
  }

  override async *read(layout: KvLayout, hashes: readonly Uint8Array[], signal: AbortSignal): AsyncGenerator<KvBlock> {
    for await (const block of this.source.read(layout, hashes, signal)) {
      const fault = this.faults[this.sent++ % Math.max(1, this.faults.length)] ?? 'none';
      if (fault === 'lost') return;
      if (fault === 'refused') throw new Error('not today');
      if (fault === 'stuck')
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      yield withFault(block, fault);
    }
  }
}

function withFault(block: KvBlock, fault: Fault): KvBlock {
  if (fault === 'bytes') return { ...block, data: Buffer.from(block.data.map((byte) => byte ^ 1)) };
  if (fault === 'tokens') return { ...block, tokenIds: block.tokenIds.map((id) => id ^ 1) };
  if (fault === 'name') return { ...block, blockHash: block.parentHash };
  if (fault === 'layout') return { ...block, layout: { ...block.layout!, modelFingerprint: 'another' } };
  return block;
}

async function startedHost(options: SyntheticModelRunnerOptions) {
  const engine: Engine = syntheticEngine(() => new SyntheticModelRunner({ isExact: true, ...options }), 64);
  const host = new EngineHost(engine, logger);
  const log = new EventLog();
  host.onEvent(log.listener);
  await host.prepare();
  ends.push(() => host.stop());
  const submit = (parts: RequestParts) => {
    const request = requestOf(parts);
    expect(engine.submit(request)).toEqual({ kind: 'accepted' });
    return request.generationId;
  };
  return { engine, host, log, submit };
}

/** A worker that has blocks and serves them, on a socket. */
async function startedSource() {
  const { log, submit, host } = await startedHost({ blockPlaces: 1_000, kvTotalBytes: 8_000 });
  const source = new FaultySource(new EngineKvBlocks(host));
  const serving: ServingKvBlocks = await servingKvBlocks({ source, mostTransfers: 64 });
  ends.push(() => serving.close());
  const warm = async (promptTokenIds: number[], cacheSalt: Buffer) => {
    await log.end(submit({ promptTokenIds, cacheSalt, stop: { maxTokens: 1 } }));
  };
  return { source, target: serving.target, warm };
}

/** A worker that fetches. */
async function startedReader(options: SyntheticModelRunnerOptions, kvFetchTimeoutMs = 5_000) {
  const started = await startedHost({ blockPlaces: 1_000, ...options });
  const { host, log, submit } = started;
  const config = {
    workers: { kvTransfer: true, kvFetchTimeoutMs },
    kvcache: { targets: [] as string[] },
  } as HydraConfig;
  const metrics = new KvTransferMetrics(new WorkerIdentity('reader', 1, { id: 'model' } as ModelConfig));
  const clients = new KvClients(security);
  ends.push(() => clients.onApplicationShutdown());
  const fetcher = new KvFetcher(config, host, clients, new KvCaches(config, clients), metrics);
  const outcomes: unknown[] = [];
  const requests = new Map<string, ReturnType<typeof requestOf>>();
  const parent = {
    child: () => ({ set: (set: object) => outcomes.push(set), end() {}, traceContext: TRACE }),
  } as never;
  host.onEvent((event) => {
    if (event.kind === 'blocks-wanted')
      fetcher.begin({ request: requests.get(event.generationId)!, parent }, event.wanted);
    if (event.kind === 'finished' || event.kind === 'failed') fetcher.cancel(event.generationId);
  });
  const fetching = (parts: RequestParts, target: string) => {
    const hashes = hashBlocks(
      parts.promptTokenIds ?? [],
      BLOCK_TOKENS,
      prefixSeed({ modelFingerprint: '0'.repeat(64), adapterVersion: '', salt: parts.cacheSalt ?? '' }),
    );
    const kvSources = [{ target, kind: KvSourceKind.WORKER, blockHashes: hashes.map((hash) => Buffer.from(hash)) }];
    const request = requestOf({ ...parts, kvSources });
    requests.set(request.generationId, request);
    started.engine.submit(request);
    return request.generationId;
  };
  const answered = async (id: string) => {
    const { usage } = await log.end(id);
    return { tokenIds: log.sequence(id).tokenIds, cached: usage?.cachedPromptTokens };
  };
  return { ...started, submit, fetching, answered, outcomes, metrics };
}

const PROMPT = Array.from({ length: 42 }, (_, index) => (index * 11) % 60);
const salt = (name: string) => Buffer.from(name);

async function withoutStore(parts: RequestParts): Promise<number[]> {
  const { log, submit } = await startedHost({ kvTotalBytes: 8_000 });
  const id = submit(parts);
  await log.end(id);
  return log.sequence(id).tokenIds;
}

describe('KvFetcher', () => {
  it('given a prompt that another worker has, when its lease says so, then all but its end is fetched, counted as cached, and the answer is the same', async () => {
    const { target, warm } = await startedSource();
    await warm(PROMPT, salt('a'));
    const { fetching, answered, outcomes, metrics } = await startedReader({});
    const parts = { promptTokenIds: PROMPT, cacheSalt: salt('a') };
    const answer = await answered(fetching(parts, target));
    expect(answer).toEqual({ tokenIds: await withoutStore(parts), cached: 40 });
    expect(outcomes).toEqual([
      { 'server.address': target, 'hydra.kv.outcome': 'fetched', 'hydra.kv.blocks': 10, 'hydra.kv.bytes': 40 },
    ]);
    expect(metrics.totals.worker).toMatchObject({ fetches: 1, bytes: 40 });
    expect((await answered(fetching(parts, target))).cached).toBe(40); // it is held now: nothing is asked for
    expect(outcomes).toHaveLength(1);
  });

  it('given a prompt that is whole blocks, when the source is said to have them all, then all but the last are fetched', async () => {
    const { target, warm } = await startedSource();
    const promptTokenIds = PROMPT.slice(0, 40);
    await warm(promptTokenIds, salt('a'));
    const { fetching, answered, outcomes } = await startedReader({});
    const parts = { promptTokenIds, cacheSalt: salt('a') };
    expect(await answered(fetching(parts, target))).toEqual({ tokenIds: await withoutStore(parts), cached: 36 });
    expect(outcomes).toMatchObject([{ 'hydra.kv.outcome': 'fetched', 'hydra.kv.blocks': 9 }]);
  });

  it('given blocks of another salt, when they are asked for by its own names, then there are none', async () => {
    const { target, warm } = await startedSource();
    await warm(PROMPT, salt('a'));
    const { fetching, answered, outcomes } = await startedReader({});
    const { cached } = await answered(fetching({ promptTokenIds: PROMPT, cacheSalt: salt('b') }, target));
    expect(cached).toBe(0);
    expect(outcomes).toMatchObject([{ 'hydra.kv.outcome': 'missing', 'hydra.kv.blocks': 0 }]);
  });

  it.each([
    ['bytes', 'damaged'],
    ['tokens', 'damaged'],
    ['name', 'damaged'],
    ['layout', 'damaged'],
    ['lost', 'missing'],
    ['refused', 'failed'],
    ['stuck', 'late'],
  ] as const)(
    'given a source whose third block is %s, then two are used, it is called %s, and the rest computed',
    async (fault, outcome) => {
      const { source, target, warm } = await startedSource();
      await warm(PROMPT, salt('a'));
      source.faults = ['none', 'none', fault];
      const { fetching, answered, outcomes } = await startedReader({}, fault === 'stuck' ? 300 : 5_000);
      const parts = { promptTokenIds: PROMPT, cacheSalt: salt('a') };
      expect(await answered(fetching(parts, target))).toEqual({ tokenIds: await withoutStore(parts), cached: 8 });
      expect(outcomes).toMatchObject([{ 'hydra.kv.outcome': outcome, 'hydra.kv.blocks': 2 }]);
    },
  );

  it('given a source that is gone, then the prompt is computed', async () => {
    const { fetching, answered, outcomes } = await startedReader({});
    expect((await answered(fetching({ promptTokenIds: PROMPT }, '127.0.0.1:1'))).cached).toBe(0);
    expect(outcomes).toMatchObject([{ 'hydra.kv.outcome': 'failed' }]);
  });

  it('given a source that does not answer, when others come, then they are answered meanwhile', async () => {
    const { source, target, warm } = await startedSource();
    await warm(PROMPT, salt('a'));
    source.faults = ['stuck'];
    const { log, submit, fetching, engine } = await startedReader({}, 60_000);
    const waiting = fetching({ promptTokenIds: PROMPT, cacheSalt: salt('a') }, target);
    const other = submit({ promptTokenIds: PROMPT });
    await log.end(other);
    expect(log.of(waiting).ends).toBe(0);
    engine.cancel(waiting, 'client-gone');
    await log.end(waiting);
  });

  it('given any prompts, faults, cancellations and little memory, then each answer is that of a run without a store', async () => {
    const { source, target, warm } = await startedSource();
    const shared = Array.from({ length: 80 }, (_, index) => (index * 7) % 61);
    for (const name of ['a', 'b']) await warm(shared, salt(name));
    const fault = fc.constantFrom<Fault>(
      ...(['none', 'none', 'none', 'none', 'bytes', 'tokens', 'name', 'lost', 'refused'] as const),
    );
    const turn = fc.record({
      shared: fc.integer({ min: 0, max: 80 }),
      own: fc.array(fc.nat(60), { minLength: 1, maxLength: 10 }),
      salt: fc.constantFrom('a', 'b'),
      maxTokens: fc.integer({ min: 1, max: 12 }),
      sequenceCount: fc.constantFrom(1, 1, 2),
      cancels: fc.constantFrom(false, false, false, true),
      fetches: fc.constantFrom(true, true, false),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { minLength: 1, maxLength: 8 }),
        fc.array(fault, { maxLength: 12 }),
        fc.integer({ min: 130, max: 400 }),
        async (turns, faults, kvTotalBytes) => {
          source.faults = faults;
          const { log, submit, fetching, engine, host } = await startedReader({ kvTotalBytes, restsSlots: true });
          const runs = turns.map(({ shared: tokens, own, salt: name, maxTokens, sequenceCount, cancels, fetches }) => {
            const parts = {
              ...{ promptTokenIds: [...shared.slice(0, tokens), ...own], cacheSalt: salt(name), sequenceCount },
              stop: { maxTokens },
            };
            const id = fetches ? fetching(parts, target) : submit(parts);
            if (cancels) engine.cancel(id, 'client-gone');
            return { id, parts, cancels };
          });
          for (const { id, parts, cancels } of runs) {
            const { failure } = await log.end(id);
            expect(failure).toBeUndefined();
            if (!cancels) expect(log.sequence(id).tokenIds).toEqual(await withoutStore(parts));
          }
          expect(engine.state().kvUsedBytes).toBe(0);
          expect(engine.state().kvCachedBytes).toBeLessThanOrEqual(kvTotalBytes);
          await host.stop();
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);
});
