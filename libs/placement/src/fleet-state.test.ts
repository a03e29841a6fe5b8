import { describe, expect, it } from 'vitest';
import { createStrategy } from './create-strategy.js';
import { registration, report, request, scheduler, servedModel } from './placement.test-support.js';

const strategy = createStrategy('round-robin', { consistentHashLoadFactor: 1.25 });

function joined() {
  const parts = scheduler(strategy, { leaseTtlMs: 9_000 });
  parts.fleet.register(registration('w0', { workerEpoch: 5 }), 0);
  const view = () => parts.fleet.workersOf('m')[0]!;
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
    expect(fleet.workersOf('m')[0]).toMatchObject({ workerEpoch: 6, report: undefined });
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
    fleet.register(registration('w0', { workerEpoch: 5, models: [servedModel({ modelId: 'n' })] }), 1);
    expect([fleet.serves('m'), fleet.serves('n'), fleet.servedWithin('m', 500, 2)]).toEqual([false, true, true]);
    fleet.startDraining('w0', 5, 2);
    expect(fleet.canServe()).toBe(false);
  });
});
