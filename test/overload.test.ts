import { afterAll, beforeAll, expect, it } from 'vitest';
import { metricsOf } from './support/app-metrics.js';
import { eventually } from './support/eventually.js';
import { closedLoop, completion, goodput, type LoadOutcome, openLoop } from './support/open-loop.js';
import {
  OVERLOAD_CAPACITY_PER_SECOND,
  OVERLOAD_ENV,
  OVERLOAD_MAX_TOKENS,
  OVERLOAD_SETTLE_MS,
  OVERLOAD_SLO_TTFT_MS,
} from './support/overload-scenario.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const QUEUE_LENGTH = 256;
const OVERLOAD_MS = 20_000;

let platform: RunningPlatform;
beforeAll(async () => {
  const yaml = `models: [{ id: mock-model }]\naliases: { default: default }\nscheduler: { queueLength: ${QUEUE_LENGTH} }\n`;
  platform = await startPlatform({ env: OVERLOAD_ENV, yaml });
});
afterAll(() => platform?.stop());

it('given ten times what four workers can do, then goodput stays, memory and queue are bounded, and all is as before soon after', async () => {
  const target = { url: platform.url, maxTokens: OVERLOAD_MAX_TOKENS, sloTtftMs: OVERLOAD_SLO_TTFT_MS };
  const [scheduler, gateway] = [metricsOf(platform, 'scheduler'), metricsOf(platform, 'gateway')];
  const memory = async () =>
    (await scheduler('process_resident_memory_bytes')) + (await gateway('process_resident_memory_bytes'));

  const saturatedFromMs = performance.now();
  const saturated = await closedLoop(target, 2 * OVERLOAD_CAPACITY_PER_SECOND, 12_000);
  const peak = goodput(saturated, OVERLOAD_SLO_TTFT_MS, saturatedFromMs + OVERLOAD_SETTLE_MS, saturatedFromMs + 12_000);

  const memoryBefore = await memory();
  const overloadedFromMs = performance.now();
  let mostWaiting = 0;
  const watch = setInterval(() => {
    void scheduler('hydra_scheduler_waiting_requests').then((waiting) => {
      mostWaiting = Math.max(mostWaiting, waiting);
    });
  }, 250);
  const overloaded = await openLoop(target, 10 * OVERLOAD_CAPACITY_PER_SECOND, OVERLOAD_MS);
  clearInterval(watch);
  const under = goodput(
    overloaded,
    OVERLOAD_SLO_TTFT_MS,
    overloadedFromMs + OVERLOAD_SETTLE_MS,
    overloadedFromMs + OVERLOAD_MS,
  );

  // The bench has the strict figure; here other processes take the machine's time from either window.
  expect(under / peak).toBeGreaterThan(0.7);
  expect(mostWaiting).toBeGreaterThan(0);
  expect(mostWaiting).toBeLessThanOrEqual(QUEUE_LENGTH);
  expect((await memory()) - memoryBefore).toBeLessThan(200_000_000);

  const byStatus = Map.groupBy(overloaded, ({ status }) => status);
  expect([...byStatus.keys()].sort()).toEqual([200, 429]);
  const refused = byStatus.get(429) as LoadOutcome[];
  expect(refused.length).toBeGreaterThan(overloaded.length / 2);
  for (const { reason, retryAfter } of refused) {
    expect(reason).toBe('slo_unreachable');
    expect(Number(retryAfter)).toBeGreaterThan(0);
  }

  await eventually(async () => (await scheduler('hydra_scheduler_waiting_requests')) === 0 || undefined);
  const after = await eventually(async () => {
    const one = await completion(target, 0);
    return one.isWhole ? one : undefined;
  });
  expect(after.status).toBe(200);
}, 120_000);
