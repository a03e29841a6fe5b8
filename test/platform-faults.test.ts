import { afterEach, describe, expect, it } from 'vitest';
import { metricsOf } from './support/app-metrics.js';
import { isRunning, pidOf, pidsOf } from './support/app-pid.js';
import { eventually } from './support/eventually.js';
import { fleetMembers } from './support/fleet.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';
import { type StreamOutcome, streamOutcome } from './support/stream-outcome.js';

const STREAMS = 10;
const TOKENS = 60;

let platform: RunningPlatform | undefined;
afterEach(async () => {
  if (platform !== undefined && isRunning(platform.pid)) await platform.stop();
});

async function start(): Promise<RunningPlatform> {
  platform = await startPlatform({
    env: { HYDRA_ENGINE: 'mock', HYDRA_WORKERS: '2', HYDRA_MOCK_TTFT_MS: '20', HYDRA_MOCK_ITL_MS: '40' },
  });
  await eventually(async () => (await fleetMembers(schedulerOf()).catch(() => [])).length === 2 || undefined);
  return platform;
}

const schedulerOf = () => (platform as RunningPlatform).schedulerTarget;

/** Streams that have all begun; the outcomes are still to come. */
async function begun(url: string): Promise<{ readonly outcomes: Promise<StreamOutcome[]> }> {
  let started = 0;
  const outcomes = Promise.all(
    Array.from({ length: STREAMS }, () => streamOutcome(url, { maxTokens: TOKENS, onStarted: () => started++ })),
  );
  await Promise.race([outcomes, eventually(() => started === STREAMS || undefined)]);
  return { outcomes };
}

const WHOLE = { status: 200, error: undefined, isDone: true, isCut: false };

describe('hydra up', () => {
  it('given a killed scheduler, when streams run and new ones come, then all finish, and the fleet comes together again', async () => {
    const up = await start();
    const running = await begun(up.url);
    process.kill(pidOf(up, 'scheduler'), 'SIGKILL');
    await up.line(/^scheduler .*was ended by SIGKILL/);
    const meanwhile = Promise.all(Array.from({ length: STREAMS }, () => streamOutcome(up.url, { maxTokens: TOKENS })));

    for (const outcome of [...(await running.outcomes), ...(await meanwhile)]) expect(outcome).toMatchObject(WHOLE);
    await eventually(async () => (await fleetMembers(schedulerOf()).catch(() => [])).length === 2 || undefined);
    const after = await Promise.all(Array.from({ length: STREAMS }, () => streamOutcome(up.url, { maxTokens: 5 })));
    for (const outcome of after) expect(outcome).toMatchObject(WHOLE);
    expect(pidsOf(up, 'scheduler')).toHaveLength(2);
  });

  it('given a scheduler that is stopped, when requests come, then they are served without it; when it goes on, it places them again', async () => {
    const up = await start();
    const gateway = metricsOf(up, 'gateway');
    const scheduler = metricsOf(up, 'scheduler');
    const placed = () => scheduler('hydra_scheduler_placements_total');
    process.kill(pidOf(up, 'scheduler'), 'SIGSTOP');
    try {
      const meanwhile = Array.from({ length: STREAMS }, () => streamOutcome(up.url, { maxTokens: 5 }));
      for (const outcome of await Promise.all(meanwhile)) expect(outcome).toMatchObject(WHOLE);
      expect(await gateway('hydra_gateway_placements_without_scheduler_total')).toBe(STREAMS);
    } finally {
      process.kill(pidOf(up, 'scheduler'), 'SIGCONT');
    }
    const before = await placed();
    await eventually(async () => {
      expect(await streamOutcome(up.url, { maxTokens: 5 })).toMatchObject(WHOLE);
      return (await placed()) > before || undefined;
    });
    expect(pidsOf(up, 'scheduler')).toHaveLength(1);
  });

  it('given a killed gateway, when it is back, then it has its port, knows its workers and frees what ran', async () => {
    const up = await start();
    const running = await begun(up.url);
    process.kill(pidOf(up, 'gateway'), 'SIGKILL');
    for (const outcome of await running.outcomes) expect(outcome).toMatchObject({ isDone: false, isCut: true });

    const first = await eventually(() => streamOutcome(up.url, { maxTokens: 5 }).catch(() => undefined));
    expect(first).toMatchObject(WHOLE); // the very first that is taken is answered
    await eventually(async () => {
      const members = await fleetMembers(up.schedulerTarget);
      return members.every(({ report }) => report?.runningGenerations === 0) || undefined;
    });
  });

  it.each([
    ['idle', 0],
    ['with running streams', STREAMS],
  ])('given hydra up killed %s, when a moment has passed, then no app is left', async (_how, streams) => {
    const up = await start();
    const running = streams === 0 ? undefined : await begun(up.url);
    const pids = ['scheduler', 'worker-0', 'worker-1', 'gateway'].map((app) => pidOf(up, app));
    process.kill(up.pid, 'SIGKILL');
    await eventually(() => pids.every((pid) => !isRunning(pid)) || undefined);
    for (const outcome of (await running?.outcomes) ?? []) expect(outcome).toMatchObject(WHOLE); // they may finish
  });
});
