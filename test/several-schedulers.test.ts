import { afterEach, describe, expect, it } from 'vitest';
import { metricsOf } from './support/app-metrics.js';
import { isRunning, pidOf, pidsOf } from './support/app-pid.js';
import { eventually } from './support/eventually.js';
import { fleetMembers } from './support/fleet.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';
import { streamOutcome } from './support/stream-outcome.js';

/** Far more than run at once, so that most wait in the scheduler. */
const STREAMS = 40;
const TOKENS = 20;
const NAMES = ['scheduler-0', 'scheduler-1'] as const;
const WORKERS = 2;
/** A term modulo it is the place of its scheduler among all of them. */
const MOST_SCHEDULERS = 64;
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
      HYDRA_WORKERS: String(WORKERS),
      HYDRA_MOCK_SLOTS: '2',
      HYDRA_MOCK_TTFT_MS: '10',
      HYDRA_MOCK_ITL_MS: '20',
    },
  });
  return platform;
}

interface Owner {
  readonly name: string;
  /** Of its reign. */
  readonly term: number;
}

/** Reports of every worker after which each scheduler has acted on what the others know, and told it. */
const REPORTS_TO_SETTLE = 2;
/** Bounds for what is stuck, not claims: other work may keep the machine busy. */
const LONGEST_SETTLING_MS = 60_000;
const LONGEST_TEST_MS = 180_000;

/**
 * Which scheduler places the model once each has heard from every worker of all the others: both tell it alike, and go on doing
 * so. A scheduler that does not know yet of an earlier one in the order may place the model for a moment.
 */
async function settledOwner(up: RunningPlatform): Promise<Owner> {
  let since: { readonly key: string; readonly sequences: readonly number[] } | undefined;
  return eventually(async () => {
    const views = await viewsOf(up);
    if (views === undefined) {
      since = undefined;
      return undefined;
    }
    const { term, key, sequences } = views;
    if (since?.key !== key) since = { key, sequences };
    const first = since.sequences;
    if (sequences.some((sequence, i) => sequence < first[i]! + REPORTS_TO_SETTLE)) return undefined;
    return { name: NAMES[term % MOST_SCHEDULERS]!, term };
  }, LONGEST_SETTLING_MS);
}

async function inOrder(target: string) {
  const members = await fleetMembers(target);
  const idOf = ({ registration }: (typeof members)[number]) => String(registration?.workerId);
  return members.toSorted((a, b) => idOf(a).localeCompare(idOf(b)));
}

/** @returns what all workers say to all schedulers; undefined while one is missing, or they do not say the same */
async function viewsOf({ schedulerTarget }: RunningPlatform) {
  try {
    const known = (await fleetMembers(schedulerTarget)).flatMap(({ report }) => report?.schedulers ?? []);
    const targets = [...new Set(known)].sort();
    const members = (await Promise.all(targets.map(inOrder))).flat();
    const reports = members.flatMap(({ report }) => report ?? []);
    const terms = new Set(reports.flatMap(({ leaseTerms }) => Object.values(leaseTerms)));
    const isWhole =
      reports.length === WORKERS * NAMES.length &&
      reports.every(({ schedulers }) => schedulers.length === NAMES.length);
    const [term] = terms;
    if (!isWhole || terms.size !== 1 || term === undefined) return undefined;
    const lives = members.map(({ registration }) => `${registration?.workerId} ${registration?.workerEpoch}`);
    return { term, key: [term, ...targets, ...lives].join(), sequences: reports.map(({ sequence }) => sequence) };
  } catch {
    return undefined; // one of them is not there
  }
}

async function placedBy(up: RunningPlatform, name: string): Promise<number> {
  return metricsOf(up, name)('hydra_scheduler_placements_total');
}

describe('hydra up --schedulers 2', { timeout: LONGEST_TEST_MS }, () => {
  it('given a killed owner with requests running and waiting, then all of them finish, the other one places, and the first takes over again when it is back', async () => {
    const up = await start();
    const { name: owner, term } = await settledOwner(up);
    const other = NAMES.find((name) => name !== owner)!;
    const placedBefore = await placedBy(up, other);
    expect(await streamOutcome(up.url, { maxTokens: 2 })).toMatchObject(WHOLE);
    expect(await placedBy(up, owner)).toBeGreaterThan(0);
    expect(await placedBy(up, other)).toBe(placedBefore);

    let started = 0;
    const outcomes = Promise.all(
      Array.from({ length: STREAMS }, () => streamOutcome(up.url, { maxTokens: TOKENS, onStarted: () => started++ })),
    );
    await eventually(() => started > 2 || undefined);
    const ofOwner = metricsOf(up, owner);
    await eventually(async () => (await ofOwner('hydra_scheduler_waiting_requests')) > 0 || undefined);
    process.kill(pidOf(up, owner), 'SIGKILL');
    for (const outcome of await outcomes) expect(outcome).toMatchObject(WHOLE);

    expect(await placedBy(up, other)).toBeGreaterThan(placedBefore);
    const gateway = metricsOf(up, 'gateway');
    expect(await gateway('hydra_gateway_placements_without_scheduler_total')).toBe(0);

    await eventually(() => pidsOf(up, owner).length === 2 || undefined);
    const again = await settledOwner(up);
    expect(again.name).toBe(owner);
    expect(again.term).toBeGreaterThan(term);
    await eventually(async () => {
      expect(await streamOutcome(up.url, { maxTokens: 2 })).toMatchObject(WHOLE);
      return (await placedBy(up, owner)) > 0 || undefined;
    });
  });

  it('given an owner that is stopped and goes on, then requests are placed by the other one meanwhile, and none fails after', async () => {
    const up = await start();
    const { name: owner } = await settledOwner(up);
    const other = NAMES.find((name) => name !== owner)!;
    const placedBefore = await placedBy(up, other);
    process.kill(pidOf(up, owner), 'SIGSTOP');
    try {
      const meanwhile = Array.from({ length: STREAMS }, () => streamOutcome(up.url, { maxTokens: TOKENS }));
      for (const outcome of await Promise.all(meanwhile)) expect(outcome).toMatchObject(WHOLE);
      expect(await placedBy(up, other)).toBeGreaterThan(placedBefore);
    } finally {
      process.kill(pidOf(up, owner), 'SIGCONT');
    }
    const after = Array.from({ length: STREAMS }, () => streamOutcome(up.url, { maxTokens: TOKENS }));
    for (const outcome of await Promise.all(after)) expect(outcome).toMatchObject(WHOLE);
  });
});
