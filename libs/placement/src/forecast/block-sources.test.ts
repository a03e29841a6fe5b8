import { describe, expect, it } from 'vitest';
import { PrefixHashes } from '#lib/kv';
import { createStrategy, DEFAULT_STRATEGY_OPTIONS, STRATEGY_NAMES } from '../create-strategy.js';
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
import { WorkerMirror } from './worker-mirror.js';

const model = servedModel({
  ...{ blockTokens: 16, contextTokens: 8_192, stepTokenBudget: 256, maxRunningSequences: 4 },
  ...{ kvBytesPerToken: 46_080, modelFingerprint: 'f' },
});
const hashes = Array.from({ length: 64 }, (_, number) =>
  Uint8Array.from({ length: 16 }, (_b, i) => (number + 1) * (i + 3)),
);
const prompt = request({ promptTokens: 1_030, prefixHashes: PrefixHashes.of(hashes) });
const sharing = (workerId: string, about: Partial<WorkerView> = {}) =>
  workerView(workerId, { model, registration: registration(workerId, { kvTarget: `${workerId}:kv` }), ...about });

function sourcesAmong(workers: WorkerView[], held: Readonly<Record<string, number>>, nowMs = 0) {
  const prefixes = emptyIndex();
  for (const [workerId, blocks] of Object.entries(held))
    for (const hash of hashes.slice(0, blocks)) prefixes.stored(workerId, hash);
  return BlockSources.among(prompt, new ExpectedPrefix(prompt, workers, prefixes), undefined, nowMs);
}

describe('BlockSources', () => {
  it('given workers with parts of a prompt, then each fetches from the longest, and the longest from nobody', () => {
    const workers = inPlaces(sharing('none'), sharing('some'), sharing('most', { isDraining: true }));
    const sources = sourcesAmong(workers, { some: 10, most: 60 });
    expect(workers.slice(0, 2).map((worker) => ({ ...sources?.optionsFor(worker)[0] }))).toMatchObject([
      {
        from: 'worker',
        parts: [{ holderId: 'most', firstBlock: 0, endBlock: 60 }],
        ownBlocks: 0,
        blocks: 60,
        tokens: 960,
      },
      {
        parts: [{ holderId: 'most', target: 'most:kv', firstBlock: 10, endBlock: 60 }],
        ownBlocks: 10,
        blocks: 60,
        tokens: 960,
      },
    ]);
    expect(sources?.optionsFor(workers[2]!)).toEqual([]);
    expect(sources!.optionsFor(workers[1]!)[0]!.fetchMs).toBeLessThan(sources!.optionsFor(workers[0]!)[0]!.fetchMs);
  });

  it('given equals, then the one with less to do is asked', () => {
    const workers = inPlaces(sharing('none'), sharing('busy', { load: 3 }), sharing('idle', { load: 1 }));
    expect(sourcesAmong(workers, { busy: 60, idle: 60 })?.optionsFor(workers[0]!)[0]?.parts[0]?.holderId).toBe('idle');
  });

  it('given fetches on their way over either link, then one more takes longer by what it shares with them, until they are there', () => {
    const workers = inPlaces(sharing('near'), sharing('other'), sharing('far'));
    const fetchMs = (nowMs: number) => sourcesAmong(workers, { far: 60 }, nowMs)!.optionsFor(workers[0])[0]!.fetchMs;
    const [near, other, far] = workers.map(({ mirror }) => mirror.traffic);
    const { bytes } = sourcesAmong(workers, { far: 60 })!.optionsFor(workers[0])[0]!;
    expect(bytes).toBe(60 * 16 * 46_080);
    const alone = fetchMs(0);
    const perByte = (alone - 5) / bytes; // before anything was fetched a link counts as 1 Gbit/s and 5 ms
    for (const link of [other!, far!]) link.began('a', bytes / 2, 100, 0);
    expect(fetchMs(0)).toBeCloseTo(alone + (perByte * bytes) / 2, 6);
    expect(fetchMs(50)).toBeCloseTo(alone + (perByte * bytes) / 4, 6);
    expect(fetchMs(100)).toBe(alone);
    for (const link of [near!, other!]) link.began('large', 10 * bytes, 1_000, 0);
    expect(fetchMs(0)).toBeCloseTo(alone + perByte * bytes, 6); // it shares no more than its own length
    near!.ended('large');
    expect(fetchMs(0)).toBeCloseTo(alone + (perByte * bytes) / 2, 6);
  });

  it('given workers of another model, or that have no blocks from each other, then nothing is fetched', () => {
    const other = sharing('other', { model: { ...model, modelFingerprint: 'g' } });
    const different = inPlaces(sharing('none'), other);
    expect(sourcesAmong(different, { other: 60 })?.optionsFor(different[0])).toEqual([]);
    const plain = workerView('plain', { model });
    expect(sourcesAmong(inPlaces(plain, sharing('most')), { most: 60 })).toBeUndefined();
    const workers = inPlaces(plain, sharing('some'), sharing('most'));
    expect(sourcesAmong(workers, { most: 60 })?.optionsFor(workers[0])).toEqual([]);
  });
});

describe('fetching, by predicted-ttft', () => {
  /** Two workers, whose steps take what they say; `far` holds all of the prompt and takes nothing new. */
  function place({
    msPerToken,
    msPerMebibyte,
    strategy = 'predicted-ttft',
  }: {
    msPerToken: number;
    msPerMebibyte: number;
    strategy?: (typeof STRATEGY_NAMES)[number];
  }) {
    const { fleet, queue, prefixes } = scheduler(createStrategy(strategy, DEFAULT_STRATEGY_OPTIONS));
    for (const workerId of ['near', 'far'])
      fleet.register(registration(workerId, { models: [model], kvTarget: `${workerId}:kv` }), 0);
    for (const hash of hashes) prefixes.stored('far', hash);
    fleet.startDraining('far', 1, 0);
    for (let step = 0; step < 200; step++) {
      const load = { prefillTokens: 1 + (step % 200), decodingSequences: 0, contextTokens: 0, attentionPairs: 0 };
      const finished = { load, durationMs: 1 + load.prefillTokens * msPerToken };
      fleet.reportStep(
        'near',
        1,
        { finished, begun: undefined, prompts: [], decodingSequences: 0, contextTokens: 0, kvTokens: 0 },
        0,
      );
      const mebibytes = 40 * (step + 1);
      fleet.report(
        'near',
        1,
        report({
          sequence: step + 1,
          kvFetches: step + 1,
          kvFetchedBytes: mebibytes * 1_048_576,
          kvFetchUs: mebibytes * msPerMebibyte * 1_000,
        }),
        0,
      );
    }
    const { decisions } = queue.enqueue({ ...prompt, explain: true }, 1_000, 0);
    const [placed] = decisions;
    if (placed?.kind !== 'placed') throw new Error(`not placed: ${JSON.stringify(decisions)}`);
    return { ...placed, fleet };
  }

  it('given slow steps and a fast link, then it fetches, counts on it, and says so', () => {
    const placed = place({ msPerToken: 1.5, msPerMebibyte: 2 });
    expect(placed.kvSources).toEqual([{ kind: 'worker', target: 'far:kv', blockHashes: PrefixHashes.of(hashes) }]);
    expect(placed.lease.cachedTokens).toBe(1_024);
    expect(placed.lease.predictedTtftMs).toBeLessThan(300); // 45 MiB, and six tokens; computing takes 1,500
    expect(placed.reason).toBe('only-choice');
    const workers = placed.fleet.workersOf('m', 0);
    expect(workers.map(({ mirror }) => mirror.traffic.competingBytes(1e9, 0))).toEqual([
      45 * 1_048_576,
      45 * 1_048_576,
    ]);
    expect(placed.explanation?.fetchedFromWorkerId).toBe('far');
    const { terms } = placed.explanation!.candidates.find(({ workerId }) => workerId === 'near')!;
    expect(terms).toMatchObject({ fetchedBlocks: 64, cachedBlocks: 0 });
    expect(terms['fetchMs']).toBeGreaterThan(60);
    expect(terms['ttftMs']).toBe(placed.lease.predictedTtftMs);
  });

  it('given fast steps or a slow link, then it computes', () => {
    for (const speeds of [
      { msPerToken: 0.005, msPerMebibyte: 2 },
      { msPerToken: 1.5, msPerMebibyte: 200 },
    ]) {
      const placed = place(speeds);
      expect(placed.kvSources).toEqual([]);
      expect(placed.lease.cachedTokens).toBe(0);
      expect(placed.explanation?.fetchedFromWorkerId).toBe('');
    }
  });

  it('given any other strategy, then nobody fetches', () => {
    for (const strategy of STRATEGY_NAMES.filter((name) => name !== 'predicted-ttft'))
      expect(place({ msPerToken: 1.5, msPerMebibyte: 2, strategy }).kvSources).toEqual([]);
  });

  it('given a prompt on its way ahead, then what is fetched comes meanwhile', () => {
    const mirror = new WorkerMirror();
    mirror.sent({
      generationId: 'g',
      promptTokens: 100,
      prefixHashes: PrefixHashes.of([]),
      sentAtMs: 0,
      remainingTokens: 100,
    });
    const workers = inPlaces(sharing('near', { mirror }), sharing('far', { isDraining: true }));
    const prefixes = emptyIndex();
    for (const hash of hashes) prefixes.stored('far', hash);
    const prefix = new ExpectedPrefix(prompt, workers, prefixes);
    const sources = BlockSources.among(prompt, prefix, undefined, 0);
    for (let each = 0; each < 50; each++) mirror.fetched('worker', 1, 45 * 1_048_576, 1);
    const strategy = createStrategy('predicted-ttft', DEFAULT_STRATEGY_OPTIONS);
    const { terms, ttftMs } = strategy.choose(prompt, workers.slice(0, 1), {
      nowMs: 0,
      random: () => 0,
      workers,
      prefix,
      sources,
    });
    const { stepMs, queueMs, prefillMs, fetchMs } = terms.get('near') as Record<string, number>;
    expect(fetchMs).toBeLessThan(stepMs! + queueMs!);
    expect(ttftMs).toBeCloseTo(stepMs! + queueMs! + prefillMs!, 9);
  });
});
