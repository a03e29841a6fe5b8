import { describe, expect, it } from 'vitest';
import { PrefixHashes } from '#lib/kv';
import { createStrategy, DEFAULT_STRATEGY_OPTIONS } from './create-strategy.js';
import { registration, report, request, scheduler, servedModel } from './placement.test-support.js';
import type { PlacementDecision } from './placement-decision.js';

const WORKERS = 4;
const SLOTS = 4;
const SERVICE_MS = 1_000;
const QUEUE_LENGTH = 64;
const WAIT_MS = 3_000;
const hash = (number: number) => new Uint8Array(16).fill(number);

/** Elements of all maps, sets and lists that can be reached from a value: what a table that only grows shows in. */
function elementsOf(root: unknown): number {
  const seen = new Set<unknown>();
  const open = [root];
  let count = 0;
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) continue;
    seen.add(value);
    const inside = value instanceof Map ? [...value.keys(), ...value.values()] : value instanceof Set ? [...value] : [];
    if (Array.isArray(value)) count += value.length;
    else count += inside.length;
    open.push(...inside, ...Object.values(value));
  }
  return count;
}

describe('the placement queue under ten times what its workers can do', () => {
  it.each(['predicted-ttft', 'least-loaded', 'consistent-hash'] as const)(
    'given a minute of it by %s, then no more wait than may, no more run than fit, and no table grows',
    (name) => {
      const strategy = createStrategy(name, DEFAULT_STRATEGY_OPTIONS);
      const { queue, fleet, leases } = scheduler(strategy, { queueLength: QUEUE_LENGTH });
      for (let worker = 0; worker < WORKERS; worker++) {
        fleet.register(registration(`w${worker}`, { models: [servedModel({ maxRunningSequences: SLOTS })] }), 0);
      }
      const ending: { readonly leaseId: string; readonly endsMs: number }[] = [];
      const outcomes = new Map<string, number>();
      const note = (decisions: readonly PlacementDecision[], nowMs: number) => {
        for (const one of decisions) {
          const outcome = one.kind === 'refused' ? one.refusal.reason : one.kind;
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          if (one.kind === 'placed') ending.push({ leaseId: one.lease.leaseId, endsMs: nowMs + SERVICE_MS });
        }
      };
      const elementsAt = new Map<number, number>();
      const perSecond = (10 * WORKERS * SLOTS * 1_000) / SERVICE_MS;
      for (let arrival = 0; arrival < 60 * perSecond; arrival++) {
        const nowMs = (arrival * 1_000) / perSecond;
        while (ending[0] !== undefined && ending[0].endsMs <= nowMs) {
          note(queue.release([ending.shift()!.leaseId], nowMs), nowMs);
        }
        if (arrival % perSecond === 0) {
          for (let worker = 0; worker < WORKERS; worker++)
            fleet.report(`w${worker}`, 1, report({ sequence: arrival + 1 }), nowMs);
          elementsAt.set(nowMs / 1_000, elementsOf({ queue, fleet, leases, strategy }));
        }
        note(queue.expire(nowMs), nowMs);
        const prefixHashes = PrefixHashes.of([hash(1), hash(2 + (arrival % 50))]);
        const asked = request({ tenantId: `t${arrival % 40}`, prefixHashes });
        note(queue.enqueue(asked, nowMs + WAIT_MS, nowMs).decisions, nowMs);
        expect(queue.waitingCount).toBeLessThanOrEqual(QUEUE_LENGTH);
        expect(leases.size).toBeLessThanOrEqual(WORKERS * SLOTS);
      }
      expect(outcomes.get('placed')).toBeGreaterThan(0.9 * 60 * WORKERS * SLOTS);
      expect(outcomes.get('queue-full')).toBeGreaterThan(7_000);
      const later = [...elementsAt].filter(([second]) => second >= 30).map(([, elements]) => elements);
      expect(Math.max(...later)).toBeLessThan(1.1 * Math.max(...[...elementsAt.values()].slice(5, 30)));
    },
  );
});
