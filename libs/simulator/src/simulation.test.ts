import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  createStrategy,
  DEFAULT_STRATEGY_OPTIONS,
  PREFILL_ORDERS,
  STRATEGY_NAMES,
  type StrategyName,
} from '#lib/placement';
import { scaleTrace } from './scale-trace.js';
import { type SimulationOptions, simulate } from './simulation.js';
import { parseTrace, type TraceFormat } from './trace.js';
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

  it('given less KV than a prompt needs, then that prompt stays unfinished and those behind it, too', () => {
    const { result } = run('round-robin', { model: { ...H100_8B, kvBlocks: 100 }, workers: 4 });
    expect(result.unfinished).toBeGreaterThan(0);
    expect(result.unfinished).toBeLessThanOrEqual(result.measured);
  });
});
