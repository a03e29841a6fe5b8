import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue, type QueueEntry } from './fair-queue.js';

/** Of one request, in the properties below. */
const MOST_TOKENS = 1_000;

const arrivals = fc
  .array(fc.record({ tenantId: fc.constantFrom('a', 'b', 'c'), priority: fc.integer({ min: -1, max: 1 }) }), {
    maxLength: 40,
  })
  .map((all) => all.map((one, ticketId) => ({ ...one, ticketId, serviceTokens: 1 })));

const one = { priority: 0, serviceTokens: 1 };

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
        const flooding = Array.from({ length: flood }, (_, ticketId) => ({ ...one, ticketId, tenantId: 'a' }));
        const light = Array.from({ length: few }, (_, index) => ({ ...one, ticketId: flood + index, tenantId: 'b' }));
        const order = drained(filled([...flooding, ...light])).map(({ tenantId }) => tenantId);
        const contested = order.slice(0, 2 * Math.min(flood, few));
        expect(contested).toEqual(contested.map((_, index) => (index % 2 === 0 ? 'a' : 'b')));
      }),
    ));

  it('passes over a tenant whose first entry stays, which keeps its turn', () => {
    const queue = filled([
      { ...one, ticketId: 1, tenantId: 'a' },
      { ...one, ticketId: 2, tenantId: 'a' },
      { ...one, ticketId: 3, tenantId: 'b' },
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

  it('given tenants that both wait, one with ten times as many requests, then what they are served never differs by more than the largest request', () =>
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: MOST_TOKENS }), { minLength: 2, maxLength: 40 }),
        fc.integer({ min: 0, max: 200 }),
        (sizes, servedBefore) => {
          const queue = new FairQueue<QueueEntry>();
          let ticketId = 0;
          const push = (tenantId: string, index: number) =>
            queue.push({ ...one, ticketId: ticketId++, tenantId, serviceTokens: sizes[index % sizes.length]! });
          for (let index = 0; index < 10 * sizes.length + servedBefore; index++) push('flood', index);
          // The flood is alone for a while: that gives the other one no credit.
          let alone = servedBefore;
          queue.offer(() => (alone-- > 0 ? 'taken' : 'stop'));
          for (let index = 0; index < sizes.length; index++) push('light', index);
          const served = new Map([
            ['flood', 0],
            ['light', 0],
          ]);
          let light = sizes.length;
          queue.offer(({ tenantId, serviceTokens }) => {
            served.set(tenantId, served.get(tenantId)! + serviceTokens);
            if (tenantId === 'light') light--;
            expect(Math.abs(served.get('flood')! - served.get('light')!)).toBeLessThanOrEqual(Math.max(...sizes));
            return light > 0 ? 'taken' : 'stop';
          });
          expect(light).toBe(0);
        },
      ),
    ));

  it('given any pushes, offers, corrections and departures, then nobody with less service waits while one with more is served, and no tenant saves up', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            act: fc.constantFrom('push', 'push', 'serve', 'correct', 'leave'),
            tenantId: fc.constantFrom('a', 'b', 'c'),
            tokens: fc.integer({ min: 1, max: MOST_TOKENS }),
          }),
          { maxLength: 120 },
        ),
        (steps) => {
          const queue = new FairQueue<QueueEntry>();
          const waiting = new Map<string, QueueEntry[]>();
          /** Since both of a pair wait, what each got more than the other; corrections widen the bound. */
          const lead = new Map<string, number>();
          let bound = MOST_TOKENS;
          const pairs = [
            ['a', 'b'],
            ['a', 'c'],
            ['b', 'c'],
          ] as const;
          const isWaiting = (tenantId: string) => (waiting.get(tenantId)?.length ?? 0) > 0;
          const note = (tenantId: string, tokens: number) => {
            for (const [a, b] of pairs) {
              if (tenantId !== a && tenantId !== b) continue;
              const key = `${a}${b}`;
              if (isWaiting(a) && isWaiting(b))
                lead.set(key, (lead.get(key) ?? 0) + (tenantId === a ? tokens : -tokens));
            }
          };
          const forgetLeads = () => {
            for (const [a, b] of pairs) if (!isWaiting(a) || !isWaiting(b)) lead.delete(`${a}${b}`);
          };
          for (const [ticketId, { act, tenantId, tokens }] of steps.entries()) {
            if (act === 'push') {
              const entry = { ...one, ticketId, tenantId, serviceTokens: tokens };
              waiting.set(tenantId, [...(waiting.get(tenantId) ?? []), entry]);
              queue.push(entry);
            } else if (act === 'serve') {
              let served: QueueEntry | undefined;
              queue.offer((entry) => {
                if (served !== undefined) return 'stop';
                served = entry;
                return 'taken';
              });
              if (served === undefined) continue;
              note(served.tenantId, served.serviceTokens);
              expect(waiting.get(served.tenantId)?.shift()).toBe(served);
            } else if (act === 'correct') {
              queue.noteServed(tenantId, 0, -tokens);
              bound += tokens;
            } else {
              const gone = waiting.get(tenantId)?.pop();
              if (gone !== undefined) expect(queue.remove(gone)).toBe(true);
            }
            forgetLeads();
            // A tenant may begin with the lead it had when it last waited, which is bounded in the same way.
            for (const tokensAhead of lead.values()) expect(Math.abs(tokensAhead)).toBeLessThanOrEqual(2 * bound);
          }
        },
      ),
      { numRuns: 300 },
    ));

  it('tells how many would come before another one', () => {
    const queue = filled([
      { ...one, ticketId: 1, tenantId: 'a', priority: 1 },
      { ...one, ticketId: 2, tenantId: 'a', serviceTokens: 10 },
      { ...one, ticketId: 3, tenantId: 'a', serviceTokens: 10 },
      { ...one, ticketId: 4, tenantId: 'b', serviceTokens: 30 },
    ]);
    expect(queue.countBefore('c', 1)).toBe(1);
    expect(queue.countBefore('c', 0)).toBe(3); // the first of each tenant, and the urgent one
    expect(queue.countBefore('a', 0)).toBe(4);
    expect(queue.countBefore('a', -1)).toBe(4);
  });

  it('turns away the newest of the tenant with the most waiting, of the lowest priority', () => {
    const queue = filled([
      { ...one, ticketId: 1, tenantId: 'a', priority: 1 },
      { ...one, ticketId: 2, tenantId: 'a' },
      { ...one, ticketId: 3, tenantId: 'a' },
      { ...one, ticketId: 4, tenantId: 'b' },
    ]);
    expect(queue.mostExpendable()?.ticketId).toBe(3);
    expect(new FairQueue().mostExpendable()).toBeUndefined();
  });
});
