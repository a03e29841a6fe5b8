import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue, type QueueEntry } from './fair-queue.js';

const arrivals = fc
  .array(fc.record({ tenantId: fc.constantFrom('a', 'b', 'c'), priority: fc.integer({ min: -1, max: 1 }) }), {
    maxLength: 40,
  })
  .map((all) => all.map((one, ticketId) => ({ ...one, ticketId })));

function filled(entries: readonly QueueEntry[]): FairQueue<QueueEntry> {
  const queue = new FairQueue<QueueEntry>();
  for (const entry of entries) queue.push(entry);
  return queue;
}

function drained(queue: FairQueue<QueueEntry>): QueueEntry[] {
  const order: QueueEntry[] = [];
  queue.offer((entry) => {
    order.push(entry);
    return 'taken';
  });
  return order;
}

describe('FairQueue', () => {
  it('gives back everybody once: priorities first, each tenant in order of arrival', () =>
    fc.assert(
      fc.property(arrivals, (entries) => {
        const queue = filled(entries);
        const order = drained(queue);
        expect(order.map(({ ticketId }) => ticketId).sort((a, b) => a - b)).toEqual(
          entries.map(({ ticketId }) => ticketId),
        );
        expect(queue.size).toBe(0);
        const priorities = order.map(({ priority }) => priority);
        expect(priorities).toEqual([...priorities].sort((a, b) => b - a));
        for (const tenant of ['a', 'b', 'c']) {
          for (const level of [-1, 0, 1]) {
            const tickets = order
              .filter((one) => one.tenantId === tenant && one.priority === level)
              .map((one) => one.ticketId);
            expect(tickets).toEqual([...tickets].sort((a, b) => a - b));
          }
        }
      }),
    ));

  it('given tenants that all wait, then none is served twice before each other was once', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 }), (flood, few) => {
        const flooding = Array.from({ length: flood }, (_, ticketId) => ({ ticketId, tenantId: 'a', priority: 0 }));
        const light = Array.from({ length: few }, (_, index) => ({
          ticketId: flood + index,
          tenantId: 'b',
          priority: 0,
        }));
        const order = drained(filled([...flooding, ...light])).map(({ tenantId }) => tenantId);
        const contested = order.slice(0, 2 * Math.min(flood, few));
        expect(contested).toEqual(contested.map((_, index) => (index % 2 === 0 ? 'a' : 'b')));
      }),
    ));

  it('passes over a tenant whose first entry stays, which keeps its turn', () => {
    const queue = filled([
      { ticketId: 1, tenantId: 'a', priority: 0 },
      { ticketId: 2, tenantId: 'a', priority: 0 },
      { ticketId: 3, tenantId: 'b', priority: 0 },
    ]);
    const visited: number[] = [];
    queue.offer((entry) => {
      visited.push(entry.ticketId);
      return entry.tenantId === 'a' ? 'kept' : 'taken';
    });
    expect(visited).toEqual([1, 3]);
    expect(drained(queue).map(({ ticketId }) => ticketId)).toEqual([1, 2]);
  });

  it('forgets who leaves', () =>
    fc.assert(
      fc.property(arrivals, fc.array(fc.nat(39)), (entries, leaving) => {
        const queue = filled(entries);
        const gone = new Set(leaving);
        for (const ticketId of gone) {
          const entry = entries[ticketId];
          if (entry !== undefined) expect([queue.remove(entry), queue.remove(entry)]).toEqual([true, false]);
        }
        const stay = entries.filter(({ ticketId }) => !gone.has(ticketId));
        expect(queue.size).toBe(stay.length);
        expect(new Set(drained(queue))).toEqual(new Set(stay));
      }),
    ));
});
