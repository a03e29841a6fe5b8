import { describe, expect, it } from 'vitest';
import { PrefixHashes } from '#lib/kv';
import { createStrategy, DEFAULT_STRATEGY_OPTIONS } from './create-strategy.js';
import { registration, report, request, scheduler, servedModel } from './placement.test-support.js';
import type { PlacementDecision } from './placement-decision.js';
import type { PlacementRequest } from './placement-request.js';
import { type PlacementChoice, PlacementStrategy } from './placement-strategy.js';
import type { WorkerView } from './worker-view.js';

const leastLoaded = () => createStrategy('least-loaded', DEFAULT_STRATEGY_OPTIONS);
const reasonsOf = (decisions: PlacementDecision[]) =>
  decisions.map((one) => (one.kind === 'refused' ? one.refusal.reason : one.kind));

/** One worker with room for `batch` sequences. */
function single(batch = 1, settings = {}) {
  const parts = scheduler(leastLoaded(), settings);
  parts.fleet.register(registration('w0', { models: [servedModel({ maxRunningSequences: batch })] }), 0);
  const ask = (about = {}, nowMs = 0) => parts.queue.enqueue(request(about), nowMs + 1_000, nowMs).decisions;
  const lease = (decisions: PlacementDecision[]) =>
    decisions.flatMap((one) => (one.kind === 'placed' ? [one.lease] : []))[0]!;
  return { ...parts, ask, lease };
}

/** Somebody's own strategy, with a fault until it is mended. */
class FaultyStrategy extends PlacementStrategy {
  readonly name = 'faulty';
  isMended = false;
  /** It mends itself after a fault. */
  isFaultyOnce = false;

  constructor(private readonly fault: () => PlacementChoice) {
    super();
  }

  choose(_request: PlacementRequest, candidates: readonly WorkerView[]): PlacementChoice {
    const isMended = this.isMended;
    this.isMended ||= this.isFaultyOnce;
    return isMended
      ? { workerId: candidates[0]!.workerId, terms: new Map([[candidates[0]!.workerId, {}]]) }
      : this.fault();
  }
}

const faults: [string, () => PlacementChoice][] = [
  [
    'throws',
    () => {
      throw new RangeError('no such weight');
    },
  ],
  [
    'throws something that is no error',
    () => {
      throw 'a text'; // what own code may do
    },
  ],
  ['chooses nobody', () => undefined as never],
  ['chooses somebody else', () => ({ workerId: 'w9', terms: new Map() })],
  ['has no terms to explain', () => ({ workerId: 'w0' }) as PlacementChoice],
  ['has none of its choice', () => ({ workerId: 'w0', terms: new Map([['w1', {}]]) })],
  ['has terms that cannot be asked for', () => ({ workerId: 'w0', terms: {} }) as PlacementChoice],
  ['throws when it is asked for terms', () => ({ workerId: 'w0', terms: { get: () => JSON.parse('?') } })],
];

describe.each(faults)('PlacementQueue, given a strategy that %s', (_, fault) => {
  const asked = (queue: ReturnType<typeof scheduler>['queue'], nowMs: number) =>
    queue.enqueue(request({ explain: true }), nowMs + 1_000, nowMs);

  it('then the request is refused so that it may come again, the fault is told, and nothing is leased', () => {
    const strategy = new FaultyStrategy(fault);
    const { fleet, queue, leases } = scheduler(strategy);
    fleet.register(registration('w0'), 0);
    const { ticketId, decisions } = asked(queue, 0);
    expect(decisions.map(({ kind }) => kind)).toEqual(['strategy-failed', 'refused']);
    expect(decisions[0]).toMatchObject({ strategy: 'faulty', modelId: 'm', cause: expect.anything() });
    expect(decisions[1]).toMatchObject({ ticketId, refusal: { reason: 'strategy-failed' } });
    expect(decisions[1]?.kind === 'refused' && decisions[1].refusal.retryAfterMs).toBeGreaterThan(0);
    expect([leases.size, queue.waitingCount]).toEqual([0, 0]);
    strategy.isMended = true;
    expect(reasonsOf(asked(queue, 1).decisions)).toEqual(['placed']);
  });

  it('then each of those that waited gets its answer', () => {
    const strategy = new FaultyStrategy(fault);
    const { fleet, queue } = scheduler(strategy);
    const tickets = [asked(queue, 0).ticketId, asked(queue, 0).ticketId];
    fleet.register(registration('w0'), 0);
    const refused = queue.place(1).filter((one) => one.kind === 'refused');
    expect(refused.map(({ ticketId }) => ticketId)).toEqual(tickets);
    expect(queue.waitingCount).toBe(0);
  });
});

it('PlacementQueue, given a strategy that failed for a tenant, then what it did not serve is not counted as served', () => {
  const strategy = new FaultyStrategy(() => {
    throw new RangeError('no such weight');
  });
  const { fleet, queue } = scheduler(strategy);
  for (const generationId of ['a-0', 'a-1', 'a-2']) queue.enqueue(request({ tenantId: 'a', generationId }), 1_000, 0);
  for (const generationId of ['b-0', 'b-1']) queue.enqueue(request({ tenantId: 'b', generationId }), 1_000, 0);
  const place = () => queue.place(1).flatMap((one) => (one.kind === 'placed' ? [one.lease.generationId] : []));
  strategy.isFaultyOnce = true;
  fleet.register(registration('w0', { models: [servedModel({ maxRunningSequences: 2 })] }), 0);
  expect(place()).toEqual(['a-1', 'b-0']);
});

describe('PlacementQueue', () => {
  it('serves tenants in turn, however many requests one of them has waiting', () => {
    const { queue, ask, lease } = single();
    let held = lease(ask());
    for (let index = 0; index < 4; index++) ask({ tenantId: 'flood', generationId: `flood-${index}` });
    ask({ tenantId: 'light', generationId: 'light-0' });
    ask({ tenantId: 'flood', generationId: 'urgent', priority: 5 });
    const order: string[] = [];
    for (let index = 0; index < 6; index++) {
      held = lease(queue.release([held.leaseId], 1));
      order.push(held.generationId);
    }
    expect(order).toEqual(['urgent', 'flood-0', 'light-0', 'flood-1', 'flood-2', 'flood-3']);
  });

  it('given a request that needs more room than there is, then later ones do not take the room it waits for', () => {
    const { queue, ask, lease } = single(3);
    const [first, second] = [lease(ask()), lease(ask())];
    ask({ sequenceCount: 3, generationId: 'wide' });
    expect(ask({ tenantId: 'other', generationId: 'narrow' })).toEqual([]);
    expect(queue.release([first.leaseId], 1)).toEqual([]);
    const placed = queue.release([second.leaseId], 1);
    expect(placed).toMatchObject([{ kind: 'placed', lease: { generationId: 'wide' } }]);
  });

  it('lets a request pass earlier ones to a worker that could not serve them', () => {
    const { fleet, ask } = single();
    const adapters = [{ adapterId: 'a', modelId: 'm', version: '', rank: 8, source: '' }];
    fleet.register(registration('w1', { adapters, models: [servedModel({ maxRunningSequences: 1 })] }), 0);
    expect(reasonsOf(ask({ adapterId: 'a' }))).toEqual(['placed']);
    expect(reasonsOf(ask({ adapterId: 'a' }))).toEqual([]);
    expect(ask({ tenantId: 'other' })).toMatchObject([{ kind: 'placed', lease: { workerId: 'w0' } }]);
    expect(reasonsOf(ask({ adapterId: 'b' }))).toEqual(['no-worker']);
  });

  it('given sequences that fit one after another but not at once, then an idle worker takes them', () => {
    const { fleet, ask } = single(64);
    fleet.register(registration('w0', { models: [servedModel({ maxRunningSequences: 64, kvBytesPerToken: 10 })] }), 0);
    fleet.report('w0', 1, report({ sequence: 1, kvTotalBytes: 10_000 }), 0);
    expect(reasonsOf(ask({ promptTokens: 500, maxOutputTokens: 4 * 501, sequenceCount: 4 }))).toEqual([
      'unserviceable',
    ]);
    expect(reasonsOf(ask({ promptTokens: 500, maxOutputTokens: 4 * 500, sequenceCount: 4 }))).toEqual(['placed']);
  });

  it('binds late by KV: what is leased and expected must fit, what can never fit is refused', () => {
    const { fleet, ask } = single(64);
    fleet.register(registration('w0', { models: [servedModel({ maxRunningSequences: 64, kvBytesPerToken: 10 })] }), 0);
    fleet.report('w0', 1, report({ sequence: 1, kvTotalBytes: 10_000 }), 0);
    expect(reasonsOf(ask({ promptTokens: 500, maxOutputTokens: 501 }))).toEqual(['unserviceable']);
    expect(reasonsOf(ask({ promptTokens: 500, maxOutputTokens: 100 }))).toEqual(['placed']);
    expect(reasonsOf(ask({ promptTokens: 400, maxOutputTokens: 100 }))).toEqual([]);
  });

  it('waits for the other worker while one is avoided, and takes the avoided one when it is alone', () => {
    const { fleet, queue, ask, lease } = single();
    const held = lease(ask());
    fleet.register(registration('w1', { models: [servedModel({ maxRunningSequences: 1 })] }), 0);
    expect(ask({ avoidWorkerIds: ['w1'] })).toEqual([]);
    expect(queue.release([held.leaseId], 1)).toMatchObject([{ lease: { workerId: 'w0' } }]);
    expect(ask({ avoidWorkerIds: ['w1', 'w0'] })).toMatchObject([{ lease: { workerId: 'w1' } }]);
  });

  it('ends waits: by the longest wait, by the first-token deadline, for want of a worker', () => {
    const { fleet, queue, ask } = single();
    ask();
    ask({ generationId: 'patient' });
    ask({ generationId: 'urgent', ttftDeadlineUnixMs: 200 });
    expect(queue.nextDueMs()).toBe(200);
    expect(reasonsOf(queue.expire(199))).toEqual([]);
    expect(reasonsOf(queue.expire(200))).toEqual(['deadline-unreachable']);
    expect(reasonsOf(queue.expire(1_000))).toEqual(['wait-expired']);
    fleet.remove('w0', 1, 1_000);
    ask({}, 1_000);
    expect(reasonsOf(queue.expire(2_000))).toEqual(['no-worker']);
    expect(reasonsOf(ask({ ttftDeadlineUnixMs: 1_999 }, 2_000))).toEqual(['deadline-unreachable']);
  });

  it('refuses an unlisted model at once, but waits for it for a while after it lost its last worker', () => {
    const { fleet, ask } = single(1, { expectedModelIds: [] });
    fleet.remove('w0', 1, 0);
    expect(reasonsOf(ask({}, 500))).toEqual([]);
    expect(reasonsOf(ask({}, 1_500))).toEqual(['no-worker']);
    expect(reasonsOf(ask({ modelId: 'made-up' }))).toEqual(['no-worker']);
  });

  it('refuses when as many wait as may, with a hint made of the pace of the queue', () => {
    const { queue, ask, lease } = single(1, { queueLength: 2 });
    let held = lease(ask());
    ask();
    ask();
    held = lease(queue.release([held.leaseId], 1_000));
    ask({}, 1_000);
    lease(queue.release([held.leaseId], 3_000));
    ask({}, 3_000);
    const [refused] = ask({}, 3_000);
    expect(refused).toMatchObject({ refusal: { reason: 'queue-full', retryAfterMs: 6_000 } });
  });

  it('given a generation that asks again, then its earlier call and its earlier lease end', () => {
    const { leases, ask } = single(1);
    ask({ generationId: 'g' });
    expect(ask({ generationId: 'g', attempt: 1 }).map(({ kind }) => kind)).toEqual(['lease-ended', 'placed']);
    expect(leases.size).toBe(1);
    ask({ generationId: 'h' });
    expect(reasonsOf(ask({ generationId: 'h' }))).toEqual(['superseded']);
  });

  it('says with each place how often the fleet was asked for the beginning of the prompt before, counting no prompt twice', () => {
    const { fleet, ask } = single(8);
    fleet.register(registration('w1'), 0);
    const prompt = [1, 2, 3].map((fill) => new Uint8Array(16).fill(fill));
    const place = (hashes: Uint8Array[], attempt = 0) =>
      ask({ prefixHashes: PrefixHashes.of(hashes), attempt }).flatMap((one) =>
        one.kind === 'placed' ? [one.earlierUses] : [],
      );
    expect(place(prompt)).toEqual([[]]);
    expect(place(prompt.slice(0, 2))).toEqual([[2]]);
    expect(place(prompt.slice(0, 2), 1)).toEqual([[2]]);
    expect(place(prompt)).toEqual([[3, 2]]);
  });

  it('refuses the fourth repetition, and everything once it is closed', () => {
    const { queue, ask } = single();
    expect(reasonsOf(ask({ attempt: 4 }))).toEqual(['attempts-exhausted']);
    expect(reasonsOf(ask({ attempt: 3 }))).toEqual(['placed']);
    ask();
    expect(reasonsOf(queue.close(0))).toEqual(['shutting-down']);
    expect(reasonsOf(ask())).toEqual(['shutting-down']);
  });

  it('explains candidates and those left out', () => {
    const { fleet, ask } = single();
    fleet.register(registration('w1'), 0);
    fleet.startDraining('w1', 1, 0);
    const [placed] = ask({ explain: true });
    expect(placed).toMatchObject({
      explanation: {
        strategy: 'least-loaded',
        chosenWorkerId: 'w0',
        candidates: [
          { workerId: 'w0', filteredBy: '', terms: { load: 0 } },
          { workerId: 'w1', filteredBy: 'draining' },
        ],
      },
    });
  });

  it('counts a worker as full when its running sequences and prompts that are not computed exceed two steps', () => {
    const { fleet, queue, ask } = single(64);
    const models = [servedModel({ maxRunningSequences: 64, stepTokenBudget: 100 })];
    fleet.register(registration('w0', { workerEpoch: 2, models }), 0);
    expect(reasonsOf(ask({ promptTokens: 1_000 }))).toEqual(['placed']); // it is idle: what it could hold it may start
    expect(reasonsOf(ask({ promptTokens: 10 }))).toEqual([]);
    const told = (sequence: number, pendingPrefillTokens: number, nowMs: number) =>
      fleet.report('w0', 2, report({ sequence, runningGenerations: 1, pendingPrefillTokens }), nowMs);
    told(1, 300, 100);
    expect(reasonsOf(queue.place(100))).toEqual([]);
    told(2, 190, 200);
    expect(reasonsOf(queue.place(200))).toEqual(['placed']);
    // 190 queued, 10 just sent, 2 sequences: what was sent a moment ago counts.
    expect(reasonsOf(ask({ promptTokens: 10 }, 201))).toEqual([]);
    told(3, 0, 300);
    expect(reasonsOf(queue.place(300))).toEqual(['placed']);
  });

  it('given a worker that does not tell its budget, then only its places and its KV count', () => {
    const { ask } = single(3);
    expect([1, 2, 3, 4].map(() => reasonsOf(ask({ promptTokens: 5_000 })))).toEqual([
      ['placed'],
      ['placed'],
      ['placed'],
      [],
    ]);
  });

  it('given a full queue, then a tenant with less waiting and whoever is more urgent still get in', () => {
    const { ask } = single(1, { queueLength: 2 });
    ask();
    ask({ tenantId: 'flood', generationId: 'flood-0' });
    ask({ tenantId: 'flood', generationId: 'flood-1' });
    expect(reasonsOf(ask({ tenantId: 'flood', generationId: 'flood-2' }))).toEqual(['queue-full']);
    expect(ask({ tenantId: 'light', generationId: 'light-0' })).toMatchObject([
      { kind: 'refused', ticketId: 3, refusal: { reason: 'queue-full' } },
    ]);
    expect(reasonsOf(ask({ tenantId: 'light', generationId: 'light-1' }))).toEqual(['queue-full']);
    expect(ask({ tenantId: 'light', priority: 1 })).toMatchObject([{ refusal: { reason: 'queue-full' } }]);
  });

  it('tells whoever cannot have a first token in time at once, by the pace of the queue, and when to come again', () => {
    const { queue, ask, lease } = single(1);
    let held = lease(ask());
    for (let index = 0; index < 12; index++) ask();
    for (let nowMs = 100; nowMs <= 900; nowMs += 100) held = lease(queue.release([held.leaseId], nowMs));
    // Three wait, and a place comes free every 100 ms.
    expect(ask({ ttftDeadlineUnixMs: 1_100 }, 900)).toMatchObject([
      { refusal: { reason: 'deadline-unreachable', retryAfterMs: 250 } },
    ]);
    expect(reasonsOf(ask({ ttftDeadlineUnixMs: 1_300 }, 900))).toEqual([]);
    expect(reasonsOf(ask({ ttftDeadlineUnixMs: 901, priority: 1 }, 900))).toEqual([]); // only those before it count
  });

  it('tells by the forecast whether a first token can come in time, once first tokens were seen, and believes it for a while only', () => {
    const { fleet, queue, ask, lease } = single(8);
    const models = [servedModel({ maxRunningSequences: 8, stepTokenBudget: 100 })];
    fleet.register(registration('w0', { workerEpoch: 2, models }), 0);
    const steps = { sequence: 1, stepUs: 100_000, prefillTokensPerSecond: 1_000 };
    fleet.report('w0', 2, report(steps), 0);
    const slow = { promptTokens: 1_000, ttftDeadlineUnixMs: 300 };
    const first = lease(ask(slow)); // nothing is known of first tokens
    expect(first.forecastTtftMs).toBeGreaterThan(500);
    queue.settle({ leaseId: first.leaseId, used: undefined, ttftMs: first.forecastTtftMs }, 1_000);
    queue.release([first.leaseId], 1_000);
    expect(ask({ ...slow, ttftDeadlineUnixMs: 1_300 }, 1_000)).toMatchObject([
      {
        refusal: {
          reason: 'deadline-unreachable',
          message: expect.stringMatching(/^The first token would come \d+ ms too late\.$/),
        },
      },
    ]);
    const quick = lease(ask({ promptTokens: 20, ttftDeadlineUnixMs: 1_300 }, 1_000));
    expect(quick.forecastTtftMs).toBeLessThan(300);
    queue.release([quick.leaseId], 1_001);
    fleet.heard('w0', 2, 40_000);
    expect(reasonsOf(ask({ ...slow, ttftDeadlineUnixMs: 40_300 }, 40_000))).toEqual(['placed']);
  });

  it('charges a tenant for what it used, not for what was expected', () => {
    const { queue, ask, lease } = single(1);
    let held = lease(ask());
    for (let index = 0; index < 3; index++)
      ask({ tenantId: 'short', generationId: `short-${index}`, maxOutputTokens: 1_000 });
    for (let index = 0; index < 3; index++)
      ask({ tenantId: 'long', generationId: `long-${index}`, maxOutputTokens: 1_000 });
    const order: string[] = [];
    for (let index = 0; index < 6; index++) {
      const outputTokens = held.tenantId === 'short' ? 10 : 200;
      queue.settle({ leaseId: held.leaseId, used: { computedPromptTokens: 100, outputTokens }, ttftMs: 0 }, 1);
      held = lease(queue.release([held.leaseId], 1));
      order.push(held.generationId);
    }
    // All were expected to be as long: those that were not have more turns.
    expect(order).toEqual(['short-0', 'long-0', 'short-1', 'short-2', 'long-1', 'long-2']);
  });
});
