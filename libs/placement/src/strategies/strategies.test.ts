import { describe, expect, it } from 'vitest';
import {
  createStrategy,
  DEFAULT_STRATEGY_OPTIONS,
  parseStrategyName,
  STRATEGY_NAMES,
  UnknownStrategyError,
} from '../create-strategy.js';
import { inPlaces, nothingHeld, report, request, workerView } from '../placement.test-support.js';
import type { PlacementStrategy } from '../placement-strategy.js';
import { seededRandom } from '../seeded-random.js';
import type { WorkerView } from '../worker-view.js';
import { Rotation } from './rotation.js';
import { describePlacementStrategy } from './strategy.conformance.js';

const options = DEFAULT_STRATEGY_OPTIONS;
for (const name of STRATEGY_NAMES) describePlacementStrategy(name, () => createStrategy(name, options));

function choose(strategy: PlacementStrategy, given: WorkerView[]): string {
  const workers = inPlaces(...given);
  const asked = request();
  const context = { nowMs: 0, random: seededRandom(1), workers, prefix: nothingHeld(asked, workers) };
  return strategy.choose(asked, workers, context).workerId;
}

const busy = (utilization: number) =>
  report({ devices: [{ index: 0, utilization, memoryUsedBytes: 0, memoryTotalBytes: 0, powerWatts: 0 }] });

describe('the choice by name', () => {
  it('lists the known names for an unknown one', () => {
    expect(() => parseStrategyName('fastest')).toThrow(UnknownStrategyError);
    expect(() => parseStrategyName('fastest')).toThrow(STRATEGY_NAMES.join(', '));
    expect(parseStrategyName('round-robin')).toBe('round-robin');
  });
});

describe('the least of costs', () => {
  it('given costs that are no numbers, then nobody is chosen for them', () => {
    const costs = [Number.NaN, 2, Number.NaN, 1];
    const workers = ['a', 'b', 'c', 'd'].map((id) => workerView(id));
    const rotation = new Rotation();
    expect(rotation.nextOfLeast('m', workers, (_, index) => costs[index]!).workerId).toBe('d');
    expect(() => rotation.nextOfLeast('m', workers, () => Number.NaN)).toThrow(TypeError);
  });
});

describe('round-robin', () => {
  it('goes round, and nobody loses a turn when workers come and go', () => {
    const strategy = createStrategy('round-robin', options);
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((id) => workerView(id)) as [
      WorkerView,
      WorkerView,
      WorkerView,
      WorkerView,
    ];
    expect([choose(strategy, [a, b, c]), choose(strategy, [a, b, c])]).toEqual(['a', 'b']);
    expect([choose(strategy, [a, c, d]), choose(strategy, [a, c, d]), choose(strategy, [a, c, d])]).toEqual([
      'c',
      'd',
      'a',
    ]);
  });
});

describe('least-loaded', () => {
  it('prefers the smaller share of places taken, then fewer prompt tokens', () => {
    const strategy = createStrategy('least-loaded', options);
    expect(
      choose(strategy, [
        workerView('a', { load: 3, sequenceLimit: 4 }),
        workerView('b', { load: 6, sequenceLimit: 64 }),
      ]),
    ).toBe('b');
    expect(
      choose(strategy, [workerView('a', { leasedPromptTokens: 9 }), workerView('b', { leasedPromptTokens: 8 })]),
    ).toBe('b');
  });
});

describe('gpu-utilization', () => {
  it('prefers the idler device, until what was sent since the report makes up for it', () => {
    const strategy = createStrategy('gpu-utilization', options);
    const calm = workerView('a', { report: busy(0.25) });
    const hot = workerView('b', { report: busy(0.5) });
    expect(choose(strategy, [calm, hot])).toBe('a');
    expect(choose(strategy, [{ ...calm, generationsSinceReport: 17 }, hot])).toBe('b');
  });

  it('goes by load where no device reports', () => {
    const strategy = createStrategy('gpu-utilization', options);
    expect(choose(strategy, [workerView('a', { load: 2 }), workerView('b', { load: 1 })])).toBe('b');
  });
});
