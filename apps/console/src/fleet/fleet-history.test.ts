import { describe, expect, it } from 'vitest';
import type { Fleet, FleetModel, FleetWorker } from '../api/resources.js';
import { type FleetHistory, momentsOf, remember, summaryOf } from './fleet-history.js';

const worker = (rest: Partial<FleetWorker> = {}): FleetWorker => ({
  ...{ id: 'w', started_at: 0, engine: 'mock', role: 'unified', connected: true, draining: false, models: ['m'] },
  ...{ adapters: [], devices: [], running: 1, waiting: 0, pending_prefill_tokens: 0, kv_used_bytes: 25 },
  ...{ kv_total_bytes: 100, tokens_per_second: 10, step_seconds: 0, prefix_query_tokens: 0, prefix_hit_tokens: 0 },
  ...rest,
});
const model = (ttft: number[], id = 'm'): FleetModel => ({
  ...{ id, context_tokens: 1, weights: 'int8', numerics: 'fast', workers: 1 },
  ...{ prompt_tokens: 0, cached_tokens: 0, completion_tokens: 0, ttft: { counts: ttft }, itl: { counts: [0, 0, 0] } },
});
const look = (atS: number, rest: Partial<Fleet> = {}): Fleet => ({
  ...{ observed_at_ms: atS * 1_000, gateway: 'g', version: '1', in_flight: 2, latency_buckets_seconds: [0.1, 1] },
  ...{ schedulers: [{ target: 's', connected: true, waiting: 3 }], workers: [worker()], models: [] },
  ...rest,
});
const history = (...looks: Fleet[]): FleetHistory => looks.reduce<FleetHistory>(remember, []);

describe('remember', () => {
  it('given more looks than are kept, then the oldest go', () => {
    const kept = history(...Array.from({ length: 200 }, (_, second) => look(second)));
    expect([kept.length, kept[0]?.observed_at_ms, kept.at(-1)?.observed_at_ms]).toEqual([150, 50_000, 199_000]);
  });

  it('given another gateway, then it begins anew; the same answer twice counts once', () => {
    expect(history(look(1), look(2), look(3, { gateway: 'other' }))).toHaveLength(1);
    expect(history(look(1), look(2), look(2))).toHaveLength(2);
  });
});

describe('momentsOf', () => {
  it('given counts that grow, then latencies are of what came within the last half minute', () => {
    const looks = [
      [8, 0, 0],
      [8, 2, 0],
      [8, 2, 0],
      [108, 2, 0],
    ].map((counts, index) => look(index * 20, { models: [model(counts)] }));
    const [first, second, third, fourth] = momentsOf(history(...looks));
    expect(first?.ttftP50).toBeUndefined();
    expect(second?.ttftP50).toBeCloseTo(550);
    expect(third?.ttftP50).toBeCloseTo(550); // the look of 40 s before
    expect(fourth?.ttftP50).toBeCloseTo(50);
  });

  it('given several models, then one can be looked at alone', () => {
    const at = (atS: number, fast: number, slow: number) =>
      look(atS, { models: [model([fast, 0, 0], 'fast'), model([0, slow, 0], 'slow')] });
    const both = history(at(0, 0, 0), at(10, 10, 90));
    expect(momentsOf(both, 'fast').at(-1)?.ttftP95).toBeCloseTo(95);
    expect(momentsOf(both).at(-1)?.ttftP50).toBeGreaterThan(100);
  });

  it('given a gateway whose counting began anew under its old name, then there is a gap and no nonsense', () => {
    const looks = history(look(0, { models: [model([9, 0, 0])] }), look(10, { models: [model([1, 0, 0])] }));
    expect(momentsOf(looks).at(-1)?.ttftP50).toBeUndefined();
  });
});

describe('summaryOf', () => {
  it('given a fleet, then its numbers add up over workers and schedulers', () => {
    const workers = [worker({ waiting: 1 }), worker({ id: 'x', connected: false, kv_used_bytes: 75 })];
    expect(summaryOf(history(look(0, { workers })))).toEqual({
      ...{ workers: 2, connectedWorkers: 1, inFlight: 2, waiting: 4, tokensPerSecond: 20, kvRatio: 0.5 },
      hitRatio: undefined,
    });
    expect(summaryOf([])).toBeUndefined();
  });

  it('given prefixes that are found more often lately, then the rate is of lately', () => {
    const at = (atS: number, asked: number, found: number) =>
      look(atS, { workers: [worker({ prefix_query_tokens: asked, prefix_hit_tokens: found })] });
    expect(summaryOf(history(at(0, 100, 0), at(10, 200, 90)))?.hitRatio).toBeCloseTo(0.9);
    expect(summaryOf(history(at(0, 100, 50), at(10, 100, 50)))?.hitRatio).toBeCloseTo(0.5);
  });
});
