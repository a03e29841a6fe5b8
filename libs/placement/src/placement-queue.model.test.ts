import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStrategy, DEFAULT_STRATEGY_OPTIONS, STRATEGY_NAMES } from './create-strategy.js';
import { registration, report, request, scheduler, servedModel } from './placement.test-support.js';
import type { PlacementDecision } from './placement-decision.js';
import type { PlacementRequest } from './placement-request.js';

const QUEUE_LENGTH = 5;
const BATCH = 2;
const LEASE_TTL_MS = 400;
const WORKER_TIMEOUT_MS = 1_000;
const WAIT_MS = 700;

interface ModelLease {
  readonly generationId: string;
  readonly workerId: string;
  readonly sequenceCount: number;
  expiresAtMs: number;
}

/** What must be true of the scheduler, kept by plain bookkeeping. */
class Model {
  nowMs = 0;
  readonly waiting = new Map<number, PlacementRequest>();
  readonly leases = new Map<string, ModelLease>();
  readonly workers = new Map<string, { heardMs: number; epoch: number; isDraining: boolean }>();
  readonly asked = new Map<number, PlacementRequest>();

  endLeasesOf(workerId: string): void {
    for (const [leaseId, lease] of this.leases) if (lease.workerId === workerId) this.leases.delete(leaseId);
  }

  apply(decisions: readonly PlacementDecision[]): void {
    for (const decision of decisions) {
      switch (decision.kind) {
        case 'placed': {
          const asked = this.takeWaiting(decision.ticketId);
          const { leaseId, generationId, workerId, sequenceCount } = decision.lease;
          expect(generationId).toBe(asked.generationId);
          expect(this.workers.get(workerId)?.isDraining).toBe(false);
          expect([...this.leases.values()].some((lease) => lease.generationId === generationId)).toBe(false);
          // First come, first served, within a tenant's priority.
          for (const [ticketId, other] of this.waiting) {
            if (other.tenantId !== asked.tenantId || other.priority !== asked.priority) continue;
            expect(ticketId).toBeGreaterThan(decision.ticketId);
          }
          this.leases.set(leaseId, { generationId, workerId, sequenceCount, expiresAtMs: this.nowMs + LEASE_TTL_MS });
          break;
        }
        case 'refused':
          this.takeWaiting(decision.ticketId);
          break;
        case 'lease-ended':
          expect(this.leases.delete(decision.lease.leaseId)).toBe(true);
          break;
        case 'worker-left':
          expect(this.workers.delete(decision.departure.workerId)).toBe(true);
          this.endLeasesOf(decision.departure.workerId);
          break;
        case 'strategy-failed':
          throw new Error('none of ours fails', { cause: decision.cause });
        default:
          decision satisfies never;
      }
    }
  }

  /** Answered once: it must not have been answered before. */
  private takeWaiting(ticketId: number): PlacementRequest {
    const asked = this.waiting.get(ticketId);
    if (asked === undefined) throw new Error(`ticket ${ticketId} was answered twice, or after it was cancelled`);
    this.waiting.delete(ticketId);
    return asked;
  }
}

type Real = ReturnType<typeof scheduler>;

/** Everything that must hold after every step. */
function check(model: Model, { queue, leases, fleet }: Real): void {
  expect(queue.waitingCount).toBe(model.waiting.size);
  expect(queue.waitingCount).toBeLessThanOrEqual(QUEUE_LENGTH);
  expect(leases.size).toBe(model.leases.size);
  const workers = fleet.workersOf('m', model.nowMs);
  expect(new Set(workers.map(({ workerId }) => workerId))).toEqual(new Set(model.workers.keys()));
  for (const worker of workers) {
    const own = [...model.leases.values()].filter(({ workerId }) => workerId === worker.workerId);
    const sequences = own.reduce((sum, lease) => sum + lease.sequenceCount, 0);
    expect(worker.load).toBe(own.length);
    expect(worker.sequences).toBe(sequences);
    expect(worker.leasedPromptTokens).toBe(own.length * 100);
    expect(sequences <= BATCH || own.length === 1).toBe(true);
  }
  const singles = [...model.waiting.values()].every(({ sequenceCount }) => sequenceCount === 1);
  if (model.waiting.size === 0 || !singles) return;
  // Nobody waits for nothing. An avoided worker is free only to those who do not avoid it.
  const unavoided = [...model.waiting.values()].every(({ avoidWorkerIds }) => avoidWorkerIds.length === 0);
  if (unavoided) expect(workers.some((worker) => !worker.isDraining && worker.sequences < BATCH)).toBe(false);
}

type Step = (model: Model, real: Real) => readonly PlacementDecision[];

class Command implements fc.Command<Model, Real> {
  constructor(
    private readonly name: string,
    private readonly step: Step,
  ) {}
  check = () => true;
  run(model: Model, real: Real): void {
    model.apply(this.step(model, real));
    check(model, real);
  }
  toString = () => this.name;
}

const pick = <T>(all: Iterable<T>, index: number): T | undefined => {
  const list = [...all];
  return list.length === 0 ? undefined : list[index % list.length];
};

function ask(model: Model, { queue }: Real, asked: PlacementRequest): readonly PlacementDecision[] {
  const { ticketId, decisions } = queue.enqueue(asked, model.nowMs + WAIT_MS, model.nowMs);
  model.waiting.set(ticketId, asked);
  model.asked.set(ticketId, asked);
  return decisions;
}

const workerIds = fc.constantFrom('w0', 'w1', 'w2');
const commands = [
  fc
    .record({
      tenantId: fc.constantFrom('a', 'b', 'c'),
      priority: fc.constantFrom(0, 0, 0, 1),
      sequenceCount: fc.constantFrom(1, 1, 1, 2, 3),
      avoidWorkerIds: fc.oneof(
        { weight: 4, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.array(workerIds, { maxLength: 2 }) },
      ),
      sessionKey: fc.constantFrom('', 's1', 's2'),
    })
    .map((about) => new Command(`ask ${JSON.stringify(about)}`, (model, real) => ask(model, real, request(about)))),
  fc.nat(20).map(
    (index) =>
      new Command(`ask again ${index}`, (model, real) => {
        const earlier = pick(model.asked.values(), index);
        return earlier === undefined ? [] : ask(model, real, { ...earlier, attempt: 1 });
      }),
  ),
  fc.nat(20).map(
    (index) =>
      new Command(`release ${index}`, (model, { queue }) => {
        const leaseId = pick(model.leases.keys(), index);
        if (leaseId === undefined) return queue.release(['unknown'], model.nowMs);
        model.leases.delete(leaseId);
        return queue.release([leaseId, leaseId], model.nowMs);
      }),
  ),
  fc.nat(20).map(
    (index) =>
      new Command(`renew ${index}`, (model, { leases }) => {
        const leaseId = pick(model.leases.keys(), index);
        if (leaseId === undefined) return [];
        expect(leases.renew([leaseId, 'unknown'], model.nowMs)).toEqual(['unknown']);
        model.leases.get(leaseId)!.expiresAtMs = model.nowMs + LEASE_TTL_MS;
        return [];
      }),
  ),
  fc.nat(20).map(
    (index) =>
      new Command(`cancel ${index}`, (model, { queue }) => {
        const ticketId = pick(model.waiting.keys(), index);
        if (ticketId === undefined) return [];
        model.waiting.delete(ticketId);
        queue.cancel(ticketId);
        return queue.place(model.nowMs);
      }),
  ),
  fc.integer({ min: 1, max: 500 }).map(
    (ms) =>
      new Command(`wait ${ms}`, (model, { queue }) => {
        model.nowMs += ms;
        const decisions = queue.expire(model.nowMs);
        const ended = decisions.filter(({ kind }) => kind === 'lease-ended').length;
        expect(ended).toBe([...model.leases.values()].filter(({ expiresAtMs }) => expiresAtMs <= model.nowMs).length);
        const left = decisions.filter(({ kind }) => kind === 'worker-left').length;
        const silent = [...model.workers.values()].filter(({ heardMs }) => model.nowMs - heardMs >= WORKER_TIMEOUT_MS);
        expect(left).toBe(silent.length);
        expect(queue.nextDueMs() ?? Number.POSITIVE_INFINITY).toBeGreaterThan(model.nowMs);
        return decisions;
      }),
  ),
  workerIds.map(
    (workerId) =>
      new Command(`join ${workerId}`, (model, { fleet, queue }) => {
        const epoch = (model.workers.get(workerId)?.epoch ?? 0) + 1;
        const models = [servedModel({ maxRunningSequences: BATCH })];
        fleet.register(registration(workerId, { workerEpoch: epoch, models }), model.nowMs);
        model.endLeasesOf(workerId);
        model.workers.set(workerId, { heardMs: model.nowMs, epoch, isDraining: false });
        return queue.place(model.nowMs);
      }),
  ),
  workerIds.map(
    (workerId) =>
      new Command(`leave ${workerId}`, (model, { fleet, queue }) => {
        const worker = model.workers.get(workerId);
        const departure = fleet.remove(workerId, worker?.epoch ?? 1, model.nowMs);
        expect(departure === undefined).toBe(worker === undefined);
        model.workers.delete(workerId);
        model.endLeasesOf(workerId);
        return queue.place(model.nowMs);
      }),
  ),
  workerIds.map(
    (workerId) =>
      new Command(`drain ${workerId}`, (model, { fleet, queue }) => {
        const worker = model.workers.get(workerId);
        if (worker === undefined) return [];
        fleet.startDraining(workerId, worker.epoch, model.nowMs);
        Object.assign(worker, { isDraining: true, heardMs: model.nowMs });
        return queue.place(model.nowMs);
      }),
  ),
  workerIds.map(
    (workerId) =>
      new Command(`report ${workerId}`, (model, { fleet, queue }) => {
        const worker = model.workers.get(workerId);
        if (worker === undefined) return [];
        const held = [...model.leases.values()].filter((lease) => lease.workerId === workerId);
        const heldGenerationIds = held.map(({ generationId }) => generationId);
        const about = report({ sequence: 1, runningGenerations: held.length, heldGenerationIds });
        expect(fleet.report(workerId, worker.epoch, about, model.nowMs)).toEqual([]);
        worker.heardMs = model.nowMs;
        return queue.place(model.nowMs);
      }),
  ),
];

describe('the placement queue against its model', () => {
  it.each(STRATEGY_NAMES)(
    'given any history under %s, then nobody is lost or answered twice, and every lease is accounted for',
    (name) =>
      fc.assert(
        fc.property(fc.commands(commands, { maxCommands: 60, size: 'max' }), (history) => {
          const strategy = createStrategy(name, DEFAULT_STRATEGY_OPTIONS);
          const real = scheduler(strategy, {
            queueLength: QUEUE_LENGTH,
            leaseTtlMs: LEASE_TTL_MS,
            workerTimeoutMs: WORKER_TIMEOUT_MS,
          });
          const model = new Model();
          fc.modelRun(() => ({ model, real }), history);
          // Whatever happened, an end comes to all who wait.
          model.apply(real.queue.close(model.nowMs));
          expect([model.waiting.size, real.queue.waitingCount]).toEqual([0, 0]);
        }),
        { numRuns: 150 },
      ),
  );
});
