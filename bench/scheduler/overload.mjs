import { readFileSync } from 'node:fs';
import { closedLoop, completion, goodput, openLoop } from '../../test/support/open-loop.ts';
import {
  OVERLOAD_CAPACITY_PER_SECOND,
  OVERLOAD_ENV,
  OVERLOAD_MAX_TOKENS,
  OVERLOAD_SETTLE_MS,
  OVERLOAD_SLO_TTFT_MS,
} from '../../test/support/overload-scenario.ts';
import { startPlatform } from '../platform.mjs';
import { residentSet } from '../resident-set.mjs';

const SATURATED_MS = 15_000;
/** Twice that of a request alone. */
const NORMAL_TTFT_MS = 250;

/** How often the scheduler's memory is looked at. */
const MEMORY_EVERY_MS = 500;

/** Ten times what four workers can do, after as much as they can do: goodput, memory, and how long until all is as before. */
export async function measureOverload({ seconds }) {
  const platform = await startPlatform(OVERLOAD_ENV);
  try {
    const target = { url: platform.url, maxTokens: OVERLOAD_MAX_TOKENS, sloTtftMs: OVERLOAD_SLO_TTFT_MS };
    const saturatedMs = performance.now();
    const saturated = await closedLoop(target, 2 * OVERLOAD_CAPACITY_PER_SECOND, SATURATED_MS);
    const peak = goodput(saturated, OVERLOAD_SLO_TTFT_MS, saturatedMs + OVERLOAD_SETTLE_MS, saturatedMs + SATURATED_MS);
    const before = memoryOf(platform.pid);
    const memory = watchMemory(appOf(platform.pid, 'scheduler'));
    const overloadedMs = performance.now();
    const recovery = recovered(target, overloadedMs + seconds * 1_000);
    const outcomes = await openLoop(target, 10 * OVERLOAD_CAPACITY_PER_SECOND, seconds * 1_000);
    const scheduler = memory.stop();
    const under = goodput(
      outcomes,
      OVERLOAD_SLO_TTFT_MS,
      overloadedMs + OVERLOAD_SETTLE_MS,
      overloadedMs + seconds * 1_000,
    );
    const backToNormalMs = await recovery;
    const statuses = Object.groupBy(outcomes, ({ status }) => status);
    return {
      seconds,
      offeredPerSecond: 10 * OVERLOAD_CAPACITY_PER_SECOND,
      peakGoodput: peak,
      goodput: under,
      goodputShare: under / peak,
      statuses: Object.fromEntries(Object.entries(statuses).map(([status, all]) => [status, all.length])),
      backToNormalMs,
      grownBytes: memoryOf(platform.pid) - before,
      scheduler,
    };
  } finally {
    await platform.stop();
  }
}

/** From the end of the load to the first request that is as quick as alone. */
async function recovered(target, fromMs) {
  await new Promise((resolve) => setTimeout(resolve, fromMs - performance.now()));
  for (;;) {
    const { isWhole, ttftMs, sentMs } = await completion(target, 0);
    if (isWhole && ttftMs <= NORMAL_TTFT_MS) return sentMs - fromMs;
  }
}

/** Of the platform's processes together. */
function memoryOf(pid) {
  return [pid, ...childrenOf(pid)].reduce((sum, one) => sum + residentSet(one).bytes, 0);
}

/** Process of an app that the platform runs. */
function appOf(pid, app) {
  return childrenOf(pid).find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(`/apps/${app}/`));
}

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
}

/** Most that a process has in memory, in either half of the time until it is stopped: what grows without a bound shows in the second. */
function watchMemory(pid) {
  const beforeBytes = residentSet(pid).bytes;
  const seen = [];
  const timer = setInterval(() => seen.push(residentSet(pid).bytes), MEMORY_EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      const half = Math.ceil(seen.length / 2);
      const mostOf = (bytes) => bytes.reduce((most, one) => Math.max(most, one), 0);
      return { beforeBytes, firstHalfBytes: mostOf(seen.slice(0, half)), secondHalfBytes: mostOf(seen.slice(half)) };
    },
  };
}
