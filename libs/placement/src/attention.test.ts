import { describe, expect, it } from 'vitest';
import { Attention } from './attention.js';
import { createStrategy, DEFAULT_STRATEGY_OPTIONS } from './create-strategy.js';
import { registration, request, scheduler } from './placement.test-support.js';

describe('Attention', () => {
  it('counts what is beyond the interval, once an interval was missed', () => {
    const attention = new Attention(100, 1_000);
    expect([1_100, 1_250, 1_450, 7_450, 7_500].map((nowMs) => attention.comeBy(nowMs))).toEqual([0, 0, 0, 5_900, 0]);
  });
});

describe('an absence of the scheduler', () => {
  it('is neither silence of a worker nor neglect of a lease, and leaves the order of expiry', () => {
    const strategy = createStrategy('round-robin', DEFAULT_STRATEGY_OPTIONS);
    const { fleet, leases, queue } = scheduler(strategy, { workerTimeoutMs: 5_000, leaseTtlMs: 9_000 });
    fleet.register(registration('w0'), 0);
    queue.enqueue(request({ generationId: 'early' }), 1_000, 0);
    queue.enqueue(request({ generationId: 'late' }), 2_000, 1_000);
    queue.excuse(60_000, 61_000);
    expect(queue.expire(61_000)).toEqual([]);
    expect(queue.nextDueMs()).toBe(65_000);
    fleet.heard('w0', 1, 64_000);
    expect(queue.expire(68_999)).toEqual([]);
    fleet.heard('w0', 1, 69_000);
    expect(queue.expire(69_000)).toMatchObject([{ kind: 'lease-ended', lease: { generationId: 'early' } }]);
    expect(leases.nextDueMs()).toBe(70_000);
    fleet.heard('w0', 1, 69_500);
    queue.excuse(60_000, 69_500);
    expect(fleet.nextDueMs()).toBe(74_500); // nobody was heard in the future
  });
});
