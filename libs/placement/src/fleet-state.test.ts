import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServedModel, StateReport } from '#lib/contracts';
import { createStrategy, DEFAULT_STRATEGY_OPTIONS } from './create-strategy.js';
import { registration, report, request, scheduler, servedModel } from './placement.test-support.js';

const strategy = createStrategy('round-robin', DEFAULT_STRATEGY_OPTIONS);

function joined(model: Partial<ServedModel> = {}) {
  const parts = scheduler(strategy, { leaseTtlMs: 9_000 });
  parts.fleet.register(registration('w0', { workerEpoch: 5, models: [servedModel(model)] }), 0);
  const view = () => parts.fleet.workersOf('m', 0)[0]!;
  const place = (generationId: string, nowMs = 0) =>
    parts.queue
      .enqueue(request({ generationId }), nowMs + 1_000, nowMs)
      .decisions.flatMap((one) => (one.kind === 'placed' ? [one.lease] : []))[0]!;
  return { ...parts, view, place };
}

describe('FleetState', () => {
  it('of two epochs keeps the larger, and ends the leases of the smaller', () => {
    const { fleet, leases, place } = joined();
    const lease = place('g');
    expect(fleet.register(registration('w0', { workerEpoch: 4 }), 1)).toEqual({ kind: 'superseded', byEpoch: 5 });
    expect(fleet.register(registration('w0', { workerEpoch: 5 }), 1)).toEqual({ kind: 'updated' });
    expect(leases.size).toBe(1);
    expect(fleet.register(registration('w0', { workerEpoch: 6 }), 1)).toEqual({
      kind: 'replaced',
      endedLeases: [lease],
    });
    expect(leases.size).toBe(0);
    expect(fleet.remove('w0', 5, 2)).toBeUndefined();
    expect(fleet.report('w0', 5, report({ sequence: 9, runningGenerations: 3 }), 2)).toEqual([]);
    expect(fleet.workersOf('m', 2)[0]).toMatchObject({ workerEpoch: 6, report: undefined });
  });

  it('gives the workers of a model in the order of their ids, however they came', () => {
    const { fleet } = joined();
    for (const workerId of ['w2', 'w10', 'a', 'w1']) fleet.register(registration(workerId), 0);
    const ids = () => fleet.workersOf('m', 0).map(({ workerId }) => workerId);
    expect(ids()).toEqual(['a', 'w0', 'w1', 'w10', 'w2']);
    fleet.register(registration('a', { workerEpoch: 2 }), 0);
    fleet.register(registration('b'), 0);
    expect(ids()).toEqual(['a', 'b', 'w0', 'w1', 'w10', 'w2']);
    expect(fleet.workersOf('m', 0).map(({ place }) => place)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('counts what it just sent before any report, and what was sent since the last one', () => {
    const { fleet, queue, view, place } = joined();
    const first = place('g1');
    place('g2');
    expect(view()).toMatchObject({ load: 2, generationsSinceReport: 2, promptTokensSinceReport: 200 });
    fleet.report('w0', 5, report({ sequence: 1, runningGenerations: 1, heldGenerationIds: ['g1'] }), 10);
    expect(view()).toMatchObject({ load: 2, generationsSinceReport: 0, reportedAtMs: 10 });
    place('g3');
    queue.release([first.leaseId], 11);
    expect(view()).toMatchObject({ load: 2, generationsSinceReport: 1, promptTokensSinceReport: 100 });
  });

  it('counts generations without a lease of ours once two reports in a row say so', () => {
    const { fleet, queue, view, place } = joined();
    const lease = place('g1');
    fleet.report('w0', 5, report({ sequence: 1, runningGenerations: 1 }), 1);
    queue.release([lease.leaseId], 2);
    fleet.report('w0', 5, report({ sequence: 2, runningGenerations: 1 }), 3);
    expect(view().load).toBe(0);
    fleet.report('w0', 5, report({ sequence: 3, runningGenerations: 1 }), 4);
    expect(view()).toMatchObject({ load: 1, sequences: 1 });
    fleet.report('w0', 5, report({ sequence: 4 }), 5);
    expect(view().load).toBe(0);
  });

  it('given a worker that came with generations of an earlier scheduler, then leases on their way do not hide them', () => {
    const { fleet, view, place } = joined({ maxRunningSequences: 64 });
    const says = (sequence: number, about: Partial<StateReport>) =>
      fleet.report('w0', 5, report({ sequence, ...about }), 1);
    says(1, { runningGenerations: 2, waitingGenerations: 1 });
    expect(view().load).toBe(3);
    for (const generationId of ['a', 'b', 'c', 'd']) place(generationId);
    expect(view().load).toBe(7);
    says(2, { runningGenerations: 3 }); // none of the four has arrived
    expect(view().load).toBe(7);
    says(3, { runningGenerations: 7 });
    expect(view().load).toBe(7);
    says(4, { runningGenerations: 4 }); // the three ended
    says(5, { runningGenerations: 4 });
    expect(view().load).toBe(4);
  });

  it('counts at once what a worker holds beyond our leases when no release can have crossed its report', () => {
    const { fleet, queue, view, place } = joined({ maxRunningSequences: 64 });
    const leases = ['a', 'b'].map((generationId) => place(generationId));
    fleet.report('w0', 5, report({ sequence: 1, runningGenerations: 2 }), 1);
    fleet.report('w0', 5, report({ sequence: 2, runningGenerations: 6 }), 2); // four came without the scheduler
    expect(view().load).toBe(6);
    queue.release([leases[0]!.leaseId], 3);
    expect(view().load).toBe(5);
    fleet.report('w0', 5, report({ sequence: 3, runningGenerations: 6 }), 4); // it crossed the release
    expect(view().load).toBe(5);
  });

  it('counts the KV of what it has no lease for, as far as the worker says', () => {
    const { fleet, queue, view } = joined({ maxRunningSequences: 64, kvBytesPerToken: 10 });
    const about = { runningGenerations: 1, waitingGenerations: 1, kvUsedBytes: 9_000, kvTotalBytes: 10_000 };
    fleet.report('w0', 5, report({ sequence: 1, ...about }), 1);
    expect(view().unleasedKvTokens).toBe(900);
    const asked = request({ promptTokens: 150, maxOutputTokens: 10 });
    expect(queue.enqueue(asked, 1_000, 1).decisions).toEqual([]); // waits
    fleet.report('w0', 5, report({ sequence: 2, ...about, kvUsedBytes: 1_000 }), 2);
    expect(queue.place(2)).toMatchObject([{ kind: 'placed' }]);
    fleet.report('w0', 5, report({ sequence: 3, ...about, runningGenerations: 2, kvUsedBytes: 6_000 }), 3);
    expect(view().unleasedKvTokens).toBe(400);
  });

  it('given any course of things, then a worker counts for no less than it says, less what was released meanwhile', () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('place', 'release', 'report'), fc.nat({ max: 12 }))), (steps) => {
        const { fleet, queue, view, place, leases } = joined({ maxRunningSequences: 1_000 });
        let said = 0;
        let released = 0;
        for (const [index, [step, number]] of steps.entries()) {
          if (step === 'place') place(`g${index}`);
          if (step === 'release') {
            const lease = leases.leasesOf('w0')[number];
            if (lease !== undefined) released++;
            queue.release([lease?.leaseId ?? 'unknown'], 1);
          }
          if (step === 'report') {
            fleet.report('w0', 5, report({ sequence: index, runningGenerations: number }), 1);
            // A release before the report may have crossed it.
            said = number - released;
            released = 0;
          }
          expect(view().load).toBeGreaterThanOrEqual(Math.max(leases.size, said - released));
        }
      }),
    ));

  it('leaves aside a report that is older than the last', () => {
    const { fleet, view } = joined();
    fleet.report('w0', 5, report({ sequence: 2, stepUs: 7 }), 1);
    fleet.report('w0', 5, report({ sequence: 1, stepUs: 8 }), 2);
    expect(view().report?.stepUs).toBe(7);
  });

  it('ends a lease that two lists in a row do not hold, when it is old enough to have arrived', () => {
    const { fleet, leases, place } = joined();
    const lost = place('lost');
    place('held');
    const holds = (sequence: number, nowMs: number) =>
      fleet.report('w0', 5, report({ sequence, runningGenerations: 1, heldGenerationIds: ['held'] }), nowMs);
    expect([holds(1, 100), holds(2, 200)]).toEqual([[], []]);
    expect(holds(3, 4_000)).toEqual([]);
    expect(fleet.report('w0', 5, report({ sequence: 4, runningGenerations: 1 }), 4_100)).toEqual([]);
    expect(holds(5, 4_200)).toEqual([lost]);
    expect(leases.size).toBe(1);
  });

  it('drops a worker that is silent, and remembers for a while that its models were served', () => {
    const { fleet, place } = joined();
    const lease = place('g');
    fleet.heard('w0', 5, 1_000);
    expect(fleet.nextDueMs()).toBe(6_000);
    expect(fleet.expire(5_999)).toEqual([]);
    expect(fleet.expire(6_000)).toEqual([{ workerId: 'w0', workerEpoch: 5, endedLeases: [lease], wasDraining: false }]);
    expect(fleet.nextDueMs()).toBeUndefined();
    expect([fleet.servedWithin('m', 500, 6_400), fleet.servedWithin('m', 500, 6_500)]).toEqual([true, false]);
  });

  it('takes a change of models within an epoch', () => {
    const { fleet } = joined();
    const register = (model: Partial<ServedModel>) =>
      fleet.register(registration('w0', { workerEpoch: 5, models: [servedModel(model)] }), 1);
    const limits = (modelId: string) => fleet.workersOf(modelId, 1).map(({ sequenceLimit }) => sequenceLimit);
    expect([limits('m'), limits('n')]).toEqual([[4], []]);
    register({ maxRunningSequences: 7 });
    expect([limits('m'), limits('n')]).toEqual([[7], []]);
    register({ modelId: 'n' });
    expect([limits('m'), limits('n')]).toEqual([[], [4]]);
    expect([fleet.serves('m'), fleet.serves('n'), fleet.servedWithin('m', 500, 2)]).toEqual([false, true, true]);
    fleet.startDraining('w0', 5, 2);
    expect(fleet.canServe()).toBe(false);
  });
});
