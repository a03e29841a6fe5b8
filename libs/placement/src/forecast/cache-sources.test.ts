import { describe, expect, it } from 'vitest';
import { KvBlocksStored, KvEvents } from '#lib/contracts';
import { nameInLayout, PrefixHashes } from '#lib/kv';
import { CacheFleet } from '../caches/cache-fleet.js';
import { createStrategy, DEFAULT_STRATEGY_OPTIONS, STRATEGY_NAMES, type StrategyName } from '../create-strategy.js';
import {
  emptyIndex,
  inPlaces,
  registration,
  report,
  request,
  scheduler,
  servedModel,
  workerView,
} from '../placement.test-support.js';
import type { WorkerView } from '../worker-view.js';
import { BlockSources } from './block-sources.js';
import { ExpectedPrefix } from './expected-prefix.js';

const model = servedModel({
  ...{ blockTokens: 16, contextTokens: 8_192, stepTokenBudget: 256, maxRunningSequences: 4 },
  ...{ kvBytesPerToken: 46_080, modelFingerprint: 'f', kvLayout: Buffer.alloc(16, 5) },
});
const BLOCK_BYTES = 16 * 46_080;
const hashes = Array.from({ length: 128 }, (_, number) =>
  Uint8Array.from({ length: 16 }, (_b, i) => ((number + 1) * (i + 3)) % 256),
);
const prompt = request({ promptTokens: 2_054, prefixHashes: PrefixHashes.of(hashes) });
const sharing = (workerId: string, about: Partial<WorkerView> = {}) =>
  workerView(workerId, { model, registration: registration(workerId, { kvTarget: `${workerId}:kv` }), ...about });

/** @param held  blocks of the prompt that each cache holds, from one to before another */
function cachesWith(held: Readonly<Record<string, readonly [number, number]>>): CacheFleet {
  const caches = new CacheFleet({ capacityBlocks: 1_000, timeoutMs: 5_000 });
  for (const [cacheId, [first, end]] of Object.entries(held)) {
    caches.register({ cacheId, cacheEpoch: 1, target: `${cacheId}:kv` }, 0);
    const value = KvBlocksStored.fromPartial({
      blockHashes: hashes.slice(first, end).map((one) => Buffer.from(nameInLayout(one, model.kvLayout))),
    });
    const events = [{ change: { $case: 'stored' as const, value } }];
    caches.apply(cacheId, 1, KvEvents.fromPartial({ firstSequence: 1, events }), 0);
  }
  return caches;
}

function sourcesOf(
  workers: readonly WorkerView[],
  caches: CacheFleet,
  ownBlocks: Readonly<Record<string, number>> = {},
) {
  const prefixes = emptyIndex();
  for (const [workerId, blocks] of Object.entries(ownBlocks))
    for (const hash of hashes.slice(0, blocks)) prefixes.stored(workerId, hash);
  return BlockSources.among(prompt, new ExpectedPrefix(prompt, workers, prefixes), caches, 0);
}

describe('BlockSources with caches', () => {
  it('given a prompt over two caches, then a worker alone fetches what it lacks, part by part, and its blocks are counted once', () => {
    const [none, some] = inPlaces(sharing('none'), sharing('some'));
    const caches = cachesWith({ a: [0, 64], b: [64, 100] });
    const sources = sourcesOf([none, some], caches, { some: 70 })!;
    expect(sources.optionsFor(some)).toMatchObject([
      { from: 'kvcache', ownBlocks: 70, blocks: 100, tokens: 1_600, bytes: 30 * BLOCK_BYTES, isCertain: false },
    ]);
    const [fromCaches, fromWorker] = sources.optionsFor(none);
    expect(fromWorker).toMatchObject({ from: 'worker', blocks: 70, parts: [{ holderId: 'some' }] });
    expect(fromCaches!.parts).toMatchObject([
      { holderId: 'a', target: 'a:kv', firstBlock: 0, endBlock: 64, bytes: 64 * BLOCK_BYTES },
      { holderId: 'b', target: 'b:kv', firstBlock: 64, endBlock: 100, bytes: 36 * BLOCK_BYTES },
    ]);
    expect(sourcesOf([none], caches)!.optionsFor(none)).toHaveLength(1);
  });

  it('given a worker that has as much, or has no blocks from others, or a fleet without caches, then nothing is fetched', () => {
    const [all, plain] = inPlaces(sharing('all'), workerView('plain', { model }));
    const different = inPlaces(sharing('another', { model: { ...model, kvLayout: Buffer.alloc(16, 6) } }), all);
    expect(sourcesOf(different, cachesWith({ a: [0, 64] }), { all: 64 })!.optionsFor(different[0])).toEqual([]);
    const sources = sourcesOf([all, plain], cachesWith({ a: [0, 64] }), { all: 64 })!;
    expect(sources.optionsFor(all)).toEqual([]);
    expect(sources.optionsFor(plain)).toEqual([]);
    expect(sourcesOf([plain], cachesWith({ a: [0, 64] }))).toBeUndefined();
    expect(sourcesOf([all], cachesWith({}))).toBeUndefined();
  });

  it('given other fetches over the link of the cache, or of the worker, then one more takes longer by what it shares with them', () => {
    const worker = sharing('near');
    const caches = cachesWith({ a: [0, 64], b: [64, 128] });
    const fetchMs = () => sourcesOf([worker], caches)!.optionsFor(worker)[0]!.fetchMs;
    const perMebibyte = 8; // before anything was fetched a link counts as 1 Gbit/s and 5 ms
    const alone = (128 * BLOCK_BYTES * perMebibyte) / 1_048_576 + 2 * 5;
    expect(fetchMs()).toBeCloseTo(alone, 6);
    const [a] = caches.find(PrefixHashes.of(hashes.slice(0, 64)), model.kvLayout).runsFrom(0);
    a!.cache.traffic.began('other', 1_048_576, 100, 0);
    expect(fetchMs()).toBeCloseTo(alone + perMebibyte, 6);
    worker.mirror.traffic.began('own', 3 * 1_048_576, 100, 0);
    expect(fetchMs()).toBeCloseTo(alone + 3 * perMebibyte, 6);
  });

  it('given what fetches from caches took, then those from workers are taken for what they were, and the other way round', () => {
    const [near, far] = [sharing('near'), sharing('far')];
    const [slow, fast] = [sharing('slow'), sharing('fast')];
    for (let fetch = 0; fetch < 50; fetch++) {
      for (const [worker, from] of [
        [near, 'worker'],
        [far, 'kvcache'],
      ] as const)
        worker.mirror.fetched(from, 1, 64 * 1_048_576, 64);
    }
    const caches = cachesWith({ a: [0, 64] });
    const options = (worker: WorkerView) => {
      const workers = inPlaces(worker, slow, fast);
      return sourcesOf(workers, caches, { fast: 64 })!.optionsFor(workers[0]);
    };
    const [nearCache, nearWorker] = options(near);
    const [farCache, farWorker] = options(far);
    expect(nearWorker!.fetchMs).toBeLessThan(nearCache!.fetchMs / 4);
    expect(farCache!.fetchMs).toBeLessThan(farWorker!.fetchMs / 4);
  });
});

interface Speeds {
  /** Of computing. */
  readonly msPerToken: number;
  /** Of fetches from workers and from caches. */
  readonly worker: number;
  readonly kvcache: number;
  readonly alwaysAsksCaches?: boolean;
  readonly strategy?: StrategyName;
}

/** A prompt that a drained worker and a cache hold, to be placed on the only worker that takes something. */
function place({ msPerToken, worker, kvcache, alwaysAsksCaches = false, strategy = 'predicted-ttft' }: Speeds) {
  const caches = cachesWith({ a: [0, 64], b: [64, 128] });
  const parts = scheduler(createStrategy(strategy, DEFAULT_STRATEGY_OPTIONS), { caches });
  const { fleet, queue, prefixes } = parts;
  for (const workerId of ['near', 'far'])
    fleet.register(registration(workerId, { models: [model], kvTarget: `${workerId}:kv`, alwaysAsksCaches }), 0);
  for (const hash of hashes) prefixes.stored('far', hash);
  fleet.startDraining('far', 1, 0);
  for (let step = 0; step < 200; step++) {
    const load = { prefillTokens: 1 + step, decodingSequences: 0, contextTokens: 0, attentionPairs: 0 };
    const finished = { load, durationMs: 1 + load.prefillTokens * msPerToken };
    const idle = { begun: undefined, prompts: [], decodingSequences: 0, contextTokens: 0, kvTokens: 0 };
    fleet.reportStep('near', 1, { finished, ...idle }, 0);
    const mebibytes = 40 * (step + 1);
    const [sequence, bytes] = [step + 1, mebibytes * 1_048_576];
    fleet.report(
      'near',
      1,
      report({
        ...{ sequence, kvFetches: sequence, kvFetchedBytes: bytes, kvFetchUs: mebibytes * worker * 1_000 },
        ...{ kvCacheFetches: sequence, kvCacheFetchedBytes: bytes, kvCacheFetchUs: mebibytes * kvcache * 1_000 },
      }),
      0,
    );
  }
  const [placed] = queue.enqueue({ ...prompt, explain: true }, 1_000, 0).decisions;
  if (placed?.kind !== 'placed') throw new Error(`not placed: ${JSON.stringify(placed)}`);
  const terms = placed.explanation!.candidates.find(({ workerId }) => workerId === 'near')!.terms;
  return { ...placed, terms, caches };
}

describe('what caches hold, by predicted-ttft', () => {
  it('given computing, a worker and caches, then the one that takes the least time is chosen, counted on and named', () => {
    const computed = place({ msPerToken: 0.005, worker: 2, kvcache: 2 });
    expect(computed).toMatchObject({ kvSources: [], lease: { cachedTokens: 0 }, terms: { fetchedBlocks: 0 } });
    expect(computed.explanation).toMatchObject({ fetchedFromWorkerId: '', fetchedFromCacheIds: [] });

    const fromWorker = place({ msPerToken: 1.5, worker: 2, kvcache: 6 });
    expect(fromWorker.kvSources).toMatchObject([{ kind: 'worker', target: 'far:kv' }]);
    expect(fromWorker.explanation).toMatchObject({ fetchedFromWorkerId: 'far', fetchedFromCacheIds: [] });

    const fromCaches = place({ msPerToken: 1.5, worker: 6, kvcache: 2 });
    expect(fromCaches.kvSources).toEqual([
      { kind: 'kvcache', target: 'a:kv', blockHashes: PrefixHashes.of(hashes.slice(0, 64)) },
      { kind: 'kvcache', target: 'b:kv', blockHashes: PrefixHashes.of(hashes.slice(64)) },
    ]);
    expect(fromCaches.explanation).toMatchObject({ fetchedFromWorkerId: '', fetchedFromCacheIds: ['a', 'b'] });
    expect(fromCaches.lease.cachedTokens).toBe(2_048);
    expect(fromCaches.terms).toMatchObject({ fetchedBlocks: 128, cachedBlocks: 0 });
    expect(fromCaches.lease.predictedTtftMs).toBeCloseTo(
      fromCaches.terms['fetchMs']! + fromCaches.terms['prefillMs']!,
      6,
    );
  });

  it('given a fetch from caches on its way, then it crosses the links of those caches', () => {
    const { caches } = place({ msPerToken: 1.5, worker: 6, kvcache: 2 });
    const links = caches
      .find(prompt.prefixHashes, model.kvLayout)
      .runsFrom(0)
      .map(({ cache }) => cache.traffic.competingBytes(1e9, 0));
    expect(links).toEqual([64 * BLOCK_BYTES, 64 * BLOCK_BYTES]);
  });

  it('given a worker that asks the caches whatever it costs, then what they hold is fetched where it would be computed', () => {
    const speeds = { msPerToken: 0.005, worker: 40, kvcache: 20 };
    const always = place({ ...speeds, alwaysAsksCaches: true });
    expect(always.explanation?.fetchedFromCacheIds).toEqual(['a', 'b']);
    expect(always.lease.predictedTtftMs).toBeGreaterThan(10 * place(speeds).lease.predictedTtftMs!);
  });

  it('given any other strategy, then nobody is told to fetch', () => {
    for (const strategy of STRATEGY_NAMES.filter((name) => name !== 'predicted-ttft'))
      expect(place({ msPerToken: 1.5, worker: 6, kvcache: 2, strategy }).kvSources).toEqual([]);
  });
});
