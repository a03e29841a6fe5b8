/** One thread of `goals.mjs`: is sent runs, one at a time, and answers each with its figures, as `hydra simulate --json` prints them. */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { createStrategy, DEFAULT_STRATEGY_OPTIONS } from '#lib/placement';
import { H100_8B, scaleTrace, simulate } from '#lib/simulator';
import { readTrace } from '../../dist/apps/cli/src/simulate/read-inputs.js';
import { TRACES } from './goal-groups.mjs';

const read = new Map();

parentPort.on('message', async ({ trace, workers, copies, speedup, kvBlocks = H100_8B.kvBlocks, ...about }) => {
  const { order = 'fifo', eviction = 'lru', strategy = 'predicted-ttft' } = about;
  const { file, format } = TRACES[trace];
  if (!read.has(trace)) read.set(trace, await readTrace(join(workerData.folder, file), format, H100_8B.blockTokens));
  const { result } = simulate({
    trace: scaleTrace(read.get(trace), copies, speedup),
    strategy: createStrategy(strategy, DEFAULT_STRATEGY_OPTIONS),
    model: { ...H100_8B, kvBlocks },
    clockUs: () => performance.now() * 1_000,
    ...{ workers, order, eviction, seed: 1 },
  });
  parentPort.postMessage(result);
});
