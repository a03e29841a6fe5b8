import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { metricsOf } from './support/app-metrics.js';
import { pidOf } from './support/app-pid.js';
import { eventually } from './support/eventually.js';
import { explainedCompletion } from './support/explained-completion.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
/** No two begin alike. */
const promptOf = (first: number) =>
  Array.from({ length: 450 }, (_, index) => 10 + ((Math.imul(first * 450 + index + 1, 2_654_435_761) >>> 8) % 200));
/** Blocks of 16 tokens before the last token. */
const BLOCKS = 28;

const YAML = `models: [{ id: tiny, source: ${MODEL}, weights: fp32, numerics: exact, contextTokens: 512 }]\n`;

describe('two workers and a cache of KV blocks that the scheduler knows', () => {
  let platform: RunningPlatform;
  beforeAll(async () => {
    platform = await startPlatform({
      yaml: YAML,
      env: {
        ...{ HYDRA_WORKERS: '2', HYDRA_THREADS: '1', HYDRA_KV_BYTES: String(16 * 1024 * 1024), HYDRA_TLS: 'on' },
        // What is cheaper on this machine, and by what it has learned so far, decides nothing here.
        HYDRA_KVCACHE_FETCH: 'always',
        HYDRA_CERTIFICATES: join(mkdtempSync(join(tmpdir(), 'hydra-kvcache-placement-')), 'certificates'),
      },
      args: ['--kvcache', '1'],
    });
  });
  afterAll(() => platform?.stop());

  const knownBlocks = () => metricsOf(platform, 'scheduler')('hydra_scheduler_kvcache_blocks');
  const lostWorkers = () =>
    metricsOf(platform, 'scheduler')('hydra_scheduler_worker_departures_total', { cause: 'lost' });
  const placedToFetch = () => metricsOf(platform, 'scheduler')('hydra_scheduler_kv_fetches_total', { from: 'kvcache' });

  it('given a prompt whose worker is gone, when it comes again, then the scheduler has the other one fetch it from the cache, and says so', async () => {
    const cold = await explainedCompletion(platform, promptOf(0));
    expect(cold.cached).toBe(0);
    expect(cold.placement.fetched_from).toBeUndefined();
    await eventually(async () => (await knownBlocks()) >= BLOCKS || undefined);
    process.kill(pidOf(platform, cold.placement.chosen), 'SIGKILL');
    await eventually(async () => (await lostWorkers()) === 1 || undefined); // until then it counts as a source, too

    const warm = await explainedCompletion(platform, promptOf(0));
    expect(warm).toMatchObject({ tokenIds: cold.tokenIds, cached: 16 * BLOCKS });
    expect(warm.placement.chosen).not.toBe(cold.placement.chosen);
    expect(warm.placement.fetched_from, JSON.stringify(warm.placement)).toBe('kvcache');
    const { terms } = warm.placement.candidates.find(({ worker }) => worker === warm.placement.chosen)!;
    expect(terms).toMatchObject({ fetchedBlocks: BLOCKS, cachedBlocks: 0 });
    expect(await placedToFetch()).toBe(1);
  });

  it('given a cache that is killed, when a prompt that it had comes to a new worker, then it is computed and nobody is said to have it', async () => {
    const before = await explainedCompletion(platform, promptOf(1));
    await eventually(async () => (await knownBlocks()) >= 2 * BLOCKS || undefined);
    process.kill(pidOf(platform, 'kvcache'), 'SIGKILL');
    await eventually(async () => (await knownBlocks()) === 0 || undefined);
    process.kill(pidOf(platform, before.placement.chosen), 'SIGKILL');
    const again = await explainedCompletion(platform, promptOf(1));
    expect(again).toMatchObject({ tokenIds: before.tokenIds, cached: 0 });
    expect(again.placement.fetched_from).toBeUndefined();
    // The cache is back, empty; what is computed now is told by its next life.
    let next = 10;
    await eventually(async () => {
      await explainedCompletion(platform, promptOf(next++));
      return (await knownBlocks()) >= BLOCKS || undefined;
    });
  });
});
