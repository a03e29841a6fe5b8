import { expect, it } from 'vitest';
import { roll } from '../rollout/support/roll.js';
import { shownReport } from '../rollout/support/roll-report.js';

it('given load over REST and gRPC, when every app is restarted once, then no request fails or is cut short', async () => {
  const report = await roll({
    name: 'the mock engine',
    yaml: 'engine: mock\nmodels: [{ id: mock }]\nmock: { ttftMs: 20, itlMs: 10 }\n',
    workerModels: ['mock', 'mock'],
    lanes: (['REST stream', 'REST stream', 'REST whole', 'gRPC stream', 'gRPC whole'] as const).map((way) => ({
      way,
      model: 'mock',
    })),
    rounds: 1,
    answersBefore: 40,
    answersBetween: 10,
  });
  console.log(shownReport(report));
  expect(report.failed).toEqual([]);
  expect(report.truncated).toEqual([]);
  expect(report.before.requests).toBeGreaterThanOrEqual(40);
  expect(report.restarts.map(({ app }) => app)).toEqual([
    'scheduler',
    'worker-0',
    'worker-1',
    'gateway-a',
    'gateway-b',
  ]);
});
