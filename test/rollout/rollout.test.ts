import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { roll } from './support/roll.js';
import { shownReport } from './support/roll-report.js';
import type { Lane } from './support/steady-load.js';

const TINY = fileURLToPath(new URL('../data/models/llama', import.meta.url));
const ROUNDS = 3;

const waysOf = (model: string): Lane[] => [
  ...Array<Lane>(4).fill({ way: 'REST stream', model }),
  ...Array<Lane>(2).fill({ way: 'REST whole', model }),
  ...Array<Lane>(2).fill({ way: 'gRPC stream', model }),
  { way: 'gRPC whole', model },
];

const PACE = { rounds: ROUNDS, answersBefore: 200, answersBetween: 50 };
const MOCK = {
  yaml: 'engine: mock\nmodels: [{ id: mock }]\nmock: { ttftMs: 20, itlMs: 10 }\n',
  workerModels: ['mock', 'mock'],
  lanes: waysOf('mock'),
  ...PACE,
};

it('given the mock engine and two schedulers under load, when every app is restarted three times, then no request fails or is cut short', async () => {
  const report = await roll({
    name: 'the mock engine, two schedulers',
    schedulers: 2,
    ...MOCK,
  });
  console.log(shownReport(report));
  expect(report.failed).toEqual([]);
  expect(report.truncated).toEqual([]);
  expect(report.restarts).toHaveLength(ROUNDS * 6);
});

it('given the embedded engine and two caches of KV blocks under load, when every app is restarted three times, then no request fails or is cut short', async () => {
  const report = await roll({
    name: 'the embedded engine, two caches of KV blocks',
    kvcaches: 2,
    yaml: `models: [{ id: tiny, source: ${TINY} }]\nworkers: { threads: 1, kvBytes: 67108864 }\nkvcache: { fetch: always }\n`,
    workerModels: ['tiny', 'tiny'],
    lanes: waysOf('tiny'),
    ...PACE,
  });
  console.log(shownReport(report));
  expect(report.failed).toEqual([]);
  expect(report.truncated).toEqual([]);
  expect(report.restarts).toHaveLength(ROUNDS * 7);
});

it.each([1, 2])(
  'given schedulers behind names (%i) under load, when each is followed by a successor that starts before it ends, then no request fails or is cut short',
  async (schedulers) => {
    const report = await roll({
      name: `the mock engine, ${schedulers} schedulers behind names, these alone`,
      ...{ schedulers, schedulersHaveNames: true, restarted: (fleet) => fleet.schedulers },
      ...MOCK,
    });
    console.log(shownReport(report));
    expect(report.failed).toEqual([]);
    expect(report.truncated).toEqual([]);
    expect(report.restarts).toHaveLength(ROUNDS * schedulers);
  },
);
