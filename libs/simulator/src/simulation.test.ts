import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  createStrategy,
  DEFAULT_STRATEGY_OPTIONS,
  PREFILL_ORDERS,
  STRATEGY_NAMES,
  type StrategyName,
  seededRandom,
} from '#lib/placement';
import { scaleTrace } from './scale-trace.js';
import { type SimulationOptions, simulate } from './simulation.js';
import { parseTrace, type TraceFormat, type TraceRequest } from './trace.js';
import { aloneSeconds, H100_8B } from './worker-model.js';

const strategyOptions = DEFAULT_STRATEGY_OPTIONS;
const sample = (name: string, format: TraceFormat) =>
  parseTrace(gunzipSync(readFileSync(new URL(`../test-data/${name}`, import.meta.url))).toString('utf8'), format, 512);
const conversation = scaleTrace(sample('conversation.jsonl.gz', 'mooncake'), 1, 2.8);
const azure = scaleTrace(sample('azure-conv.csv.gz', 'csv'), 4, 13);

function run(strategy: StrategyName, about: Partial<SimulationOptions> = {}) {
  const defaults = {
    trace: conversation,
    workers: 8,
    seed: 1,
    order: 'fifo',
    eviction: 'lru',
    model: H100_8B,
    clockUs: () => 0,
  } as const;
  return simulate({ ...defaults, strategy: createStrategy(strategy, strategyOptions), ...about });
}

describe('a simulation', () => {
  it('with workers that report at intervals serves every request, and predictions still beat a strategy without any', () => {
    const waitOf = (name: StrategyName) => {
      const { result } = run(name, { reportIntervalS: 0.5 });
      expect(result.unfinished).toBe(0);
      return result.ttft_mean_s;
    };
    expect(waitOf('predicted-ttft')).toBeLessThan(waitOf('round-robin'));
    expect(run('predicted-ttft', { reportIntervalS: 0.5 }).result).toEqual(
      run('predicted-ttft', { reportIntervalS: 0.5 }).result,
    );
  });

  it('under another eviction serves every request, and finds prefixes', () => {
    const { result } = run('predicted-ttft', { eviction: 'lfuda', order: 'srpt' });
    expect(result.unfinished).toBe(0);
    expect(result.block_hit_rate).toBeGreaterThan(0);
  });

  it('given prompts that come again to other workers, then what the fleet has seen before stays longer than what is new', () => {
    // 20 documents that come three times to each of three workers, among as many prompts of equal length that come once.
    const prompt = (first: number) => Array.from({ length: 20 }, (_, index) => 1_000 * first + index);
    const requests = Array.from({ length: 360 }, (_, at) => {
      const blockIds = prompt(at % 2 === 0 ? (at / 2) % 20 : 1_000 + at);
      return { timeS: at, promptTokens: 20 * 512, outputTokens: 20, blockIds };
    });
    const about = { trace: scaleTrace(requests, 1, 1), workers: 3, eviction: 'lfuda' } as const;
    const model = { ...H100_8B, kvBlocks: 500 };
    expect(run('round-robin', { ...about, model }).result.block_hit_rate).toBeGreaterThan(0.25);
  });

  it('of one request gives the times that the model gives', () => {
    const blockIds = Array.from({ length: 14 }, (_, index) => index);
    const trace = scaleTrace([{ timeS: 0, promptTokens: 6_758, outputTokens: 500, blockIds }], 1, 1);
    const { result } = run('round-robin', { trace, workers: 1 });
    expect([result.offered_rps, result.goodput_rps]).toEqual([0, 0]);
    expect(result.ttft_mean_s).toBeCloseTo(0.1989, 4);
    expect(result.e2e_mean_s).toBeCloseTo(3.62, 3);
    expect(result.slowdown_p50).toBeCloseTo(1, 9);
    expect(result.slo_attainment).toBe(1);
  });

  it.each(STRATEGY_NAMES.flatMap((name) => PREFILL_ORDERS.map((order) => ({ name, order }))))(
    'with $name and $order workers serves every request once, none before its time, and equally each time',
    ({ name, order }) => {
      const { result, requests } = run(name, { order });
      expect(result.unfinished).toBe(0);
      for (const { trace, workerIndex, hitTokens, dispatchedS, firstTokenS, finishedS } of requests) {
        expect(workerIndex).toBeGreaterThanOrEqual(0);
        expect(dispatchedS).toBeGreaterThanOrEqual(trace.timeS);
        const leastS = aloneSeconds(H100_8B, trace.promptTokens - hitTokens) - 1e-9;
        expect(firstTokenS - trace.timeS).toBeGreaterThanOrEqual(leastS);
        expect(finishedS - firstTokenS).toBeGreaterThanOrEqual((trace.outputTokens - 1) * H100_8B.stepBaseS - 1e-9);
      }
      expect(run(name, { order }).result).toEqual(result);
    },
  );

  it('with shortest-prefill-first workers lets short prompts pass and lets no prompt starve', () => {
    const fifo = run('least-pending-prefill').result;
    const srpt = run('least-pending-prefill', { order: 'srpt' }).result;
    expect(srpt.slowdown_p99).toBeLessThan(fifo.slowdown_p99 / 2);
    expect(srpt.ttft_mean_s).toBeLessThan(fifo.ttft_mean_s);
    expect(srpt.unfinished).toBe(0);
  });

  it('counts no hit where no block is shared', () => {
    const { result } = run('consistent-hash', { trace: azure });
    expect([result.block_hit_rate, result.token_hit_rate, result.requests]).toEqual([0, 0, 1_600]);
  });

  it('hits more where what belongs together is kept together', () => {
    expect(run('consistent-hash').result.block_hit_rate).toBeGreaterThan(
      1.5 * run('round-robin').result.block_hit_rate,
    );
  });

  it.each(STRATEGY_NAMES.flatMap((name) => PREFILL_ORDERS.map((order) => ({ name, order }))))(
    'with $name and $order workers refuses what needs more KV than a worker has, and serves all others',
    ({ name, order }) => {
      const about = { order, workers: 2 };
      const oneOf = (index: number) => ({ timeS: index / 10, promptTokens: 1_000, outputTokens: 5, blockIds: [0, 1] });
      const others = Array.from({ length: 40 }, (_, index) => oneOf(index));
      const answers = { ...oneOf(15), outputTokens: 801 * 512 };
      const asks = { ...oneOf(15), promptTokens: 800 * 512, blockIds: Array.from({ length: 800 }, (_, i) => i) };
      const trace = scaleTrace([...others.slice(0, 15), answers, asks, ...others.slice(15)], 1, 1);
      const { result, requests } = run(name, { ...about, trace });
      expect(result.unfinished).toBe(2);
      for (const { trace: asked, workerIndex, dispatchedS, finishedS } of requests) {
        const fits = asked.promptTokens + asked.outputTokens <= 800 * 512;
        expect([Number.isFinite(finishedS), Number.isFinite(dispatchedS), workerIndex >= 0]).toEqual([
          fits,
          fits,
          fits,
        ]);
      }
    },
  );

  it('given requests of which none fits, then every figure is a number', () => {
    const { result } = run('predicted-ttft', { model: { ...H100_8B, kvBlocks: 1 } });
    expect(result.unfinished).toBe(result.measured);
    for (const [key, value] of Object.entries(result))
      if (key !== 'strategy') expect(value, key).toEqual(expect.any(Number));
    expect(Object.entries(result).filter(([, value]) => Number.isNaN(value))).toEqual([]);
  });

  it('given deep chats, where nearly every block is found again, then predicted-ttft waits least, though what it pushes out comes back', () => {
    const trace = scaleTrace(deepChats(), 1, 1);
    const waitOf = (name: StrategyName) => run(name, { trace, workers: 2 }).result.ttft_mean_s;
    for (const other of ['prefix-aware', 'weighted', 'consistent-hash'] as const) {
      expect(waitOf('predicted-ttft'), other).toBeLessThan(waitOf(other));
    }
  });
});

const CHATS = 60;
/** Chosen: two workers are just busy enough with them, and hold less than is open at once. */
const CHAT_EVERY_S = 1;

/** Chats of 8 to 39 turns behind system prompts of 30 tenants. */
function deepChats(): TraceRequest[] {
  const random = seededRandom(1);
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  let blocks = 0;
  const fresh = (count: number) => Array.from({ length: count }, () => blocks++);
  const tenants = Array.from({ length: 30 }, () => fresh(between(2, 8)));
  const requests: TraceRequest[] = [];
  for (let chat = 0; chat < CHATS; chat++) {
    let held = [...tenants[between(0, 29)]!];
    let timeS = chat * CHAT_EVERY_S;
    for (let turn = between(8, 39); turn > 0; turn--) {
      const promptTokens = held.length * 512 + between(30, 500);
      requests.push({ timeS, promptTokens, outputTokens: between(100, 500), blockIds: [...held, ...fresh(1)] });
      held = [...held, ...fresh(between(1, 2))];
      timeS += 2 + 8 * random();
    }
  }
  return requests.sort((a, b) => a.timeS - b.timeS);
}
