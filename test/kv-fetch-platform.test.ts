import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callUnary } from '#lib/channels';
import { WorkerClient } from '#lib/contracts';
import { metricsOf } from './support/app-metrics.js';
import { portOf } from './support/app-port.js';
import { eventually } from './support/eventually.js';
import { explainedCompletion } from './support/explained-completion.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
const PROMPT = Array.from({ length: 450 }, (_, index) => 10 + ((index * 7) % 200));

let platform: RunningPlatform;
beforeAll(async () => {
  platform = await startPlatform({
    yaml: `models: [{ id: tiny, source: ${MODEL}, weights: fp32, numerics: exact, contextTokens: 512 }]\n`,
    env: { HYDRA_WORKERS: '2', HYDRA_THREADS: '1', HYDRA_KV_BYTES: String(16 * 1024 * 1024) },
  });
});
afterAll(() => platform?.stop());

const complete = (prompt: readonly number[]) => explainedCompletion(platform, prompt);

/** The worker takes nothing new from now on. */
async function drain(worker: string): Promise<void> {
  const client = new WorkerClient(`127.0.0.1:${await portOf(platform, worker, 'grpc')}`, credentials.createInsecure());
  await callUnary(client.drain.bind(client), { graceMs: 60_000 }, { timeoutMs: 5_000 });
  client.close();
}

it('given a prompt that one worker has computed, when that takes nothing new, then another fetches it, says so, and gives the same tokens', async () => {
  const cold = await complete(PROMPT);
  expect(cold.cached).toBe(0);
  const holder = cold.placement.chosen;
  // until the scheduler knows of it the prompt would be computed
  await eventually(async () => {
    const warm = await complete(PROMPT);
    expect(warm.tokenIds).toEqual(cold.tokenIds);
    const held = warm.placement.candidates.find(({ worker }) => worker === holder)?.terms?.['cachedBlocks'];
    return held === 28 || undefined;
  });
  await drain(holder);
  const fetched = await complete(PROMPT);
  expect(fetched.placement.chosen).not.toBe(holder);
  expect(fetched.tokenIds).toEqual(cold.tokenIds);
  expect(fetched.placement.fetched_from).toBe(holder);
  expect(fetched.cached).toBe(448);
  expect(await metricsOf(platform, holder)('hydra_worker_kv_served_blocks_total')).toBe(28);
});
