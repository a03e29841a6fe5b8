import { afterEach, describe, expect, it } from 'vitest';
import { metricsOf } from './support/app-metrics.js';
import { isRunning, pidOf, pidsOf } from './support/app-pid.js';
import { eventually } from './support/eventually.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';
import { streamOutcome } from './support/stream-outcome.js';

/** Far more than run at once, so that most wait in the scheduler. */
const STREAMS = 40;
const TOKENS = 20;
const NAMES = ['scheduler-0', 'scheduler-1'] as const;
const WHOLE = { status: 200, error: undefined, isDone: true, isCut: false };

let platform: RunningPlatform | undefined;
afterEach(async () => {
  if (platform !== undefined && isRunning(platform.pid)) await platform.stop();
});

async function start(): Promise<RunningPlatform> {
  platform = await startPlatform({
    args: ['--schedulers', String(NAMES.length)],
    env: {
      HYDRA_ENGINE: 'mock',
      HYDRA_WORKERS: '2',
      HYDRA_MOCK_SLOTS: '2',
      HYDRA_MOCK_TTFT_MS: '10',
      HYDRA_MOCK_ITL_MS: '20',
    },
  });
  return platform;
}

/** Lines in which a scheduler says that it places the model from now on, oldest first. */
const reignsOf = ({ lines }: RunningPlatform) =>
  lines.filter((line) => line.includes('this scheduler places the model'));
const nameIn = (line: string) => line.slice(0, line.indexOf(' '));
const termIn = (line: string) => Number(/"term":(\d+)/.exec(line)?.[1]);

async function placedBy(up: RunningPlatform, name: string): Promise<number> {
  return metricsOf(up, name)('hydra_scheduler_placements_total');
}

describe('hydra up --schedulers 2', () => {
  it('given a killed owner with requests running and waiting, then all of them finish, the other one places, and the first takes over again when it is back', async () => {
    const up = await start();
    expect(await streamOutcome(up.url, { maxTokens: 2 })).toMatchObject(WHOLE);
    const owner = nameIn(reignsOf(up).at(-1)!);
    const other = NAMES.find((name) => name !== owner)!;
    expect(await placedBy(up, other)).toBe(0);

    let started = 0;
    const outcomes = Promise.all(
      Array.from({ length: STREAMS }, () => streamOutcome(up.url, { maxTokens: TOKENS, onStarted: () => started++ })),
    );
    await eventually(() => started > 2 || undefined);
    expect(await metricsOf(up, owner)('hydra_scheduler_waiting_requests')).toBeGreaterThan(0);
    process.kill(pidOf(up, owner), 'SIGKILL');
    for (const outcome of await outcomes) expect(outcome).toMatchObject(WHOLE);

    expect(await placedBy(up, other)).toBeGreaterThan(0);
    const gateway = metricsOf(up, 'gateway');
    expect(await gateway('hydra_gateway_placements_without_scheduler_total')).toBe(0);

    await eventually(() => (pidsOf(up, owner).length === 2 && nameIn(reignsOf(up).at(-1)!) === owner) || undefined);
    const terms = reignsOf(up).map(termIn);
    expect(terms).toEqual([...terms].sort((a, b) => a - b));
    await eventually(async () => {
      expect(await streamOutcome(up.url, { maxTokens: 2 })).toMatchObject(WHOLE);
      return (await placedBy(up, owner)) > 0 || undefined;
    });
  });

  it('given an owner that is stopped and goes on, then requests are placed by the other one meanwhile, and none fails after', async () => {
    const up = await start();
    expect(await streamOutcome(up.url, { maxTokens: 2 })).toMatchObject(WHOLE);
    const owner = nameIn(reignsOf(up).at(-1)!);
    const other = NAMES.find((name) => name !== owner)!;
    process.kill(pidOf(up, owner), 'SIGSTOP');
    try {
      const meanwhile = Array.from({ length: STREAMS }, () => streamOutcome(up.url, { maxTokens: TOKENS }));
      for (const outcome of await Promise.all(meanwhile)) expect(outcome).toMatchObject(WHOLE);
      expect(await placedBy(up, other)).toBeGreaterThan(0);
    } finally {
      process.kill(pidOf(up, owner), 'SIGCONT');
    }
    const after = Array.from({ length: STREAMS }, () => streamOutcome(up.url, { maxTokens: TOKENS }));
    for (const outcome of await Promise.all(after)) expect(outcome).toMatchObject(WHOLE);
  });
});
