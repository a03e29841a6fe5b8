import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DueTimes } from './due-times.js';

describe('DueTimes', () => {
  it('gives what is due, earliest first, and nothing that was deleted', () =>
    fc.assert(
      fc.property(
        fc.array(fc.nat(1_000), { maxLength: 300 }),
        fc.array(fc.nat(299), { maxLength: 300 }),
        fc.nat(1_000),
        (dues, deleted, now) => {
          const times = new DueTimes<number>();
          dues.forEach((dueMs, key) => {
            times.set(key, dueMs);
          });
          for (const key of deleted) times.delete(key);
          const live = dues.map((dueMs, key) => ({ dueMs, key })).filter(({ key }) => !deleted.includes(key));
          expect(times.size).toBe(live.length);
          expect(times.nextDueMs()).toBe(live.length === 0 ? undefined : Math.min(...live.map(({ dueMs }) => dueMs)));
          const taken: number[] = [];
          for (let key = times.takeDue(now); key !== undefined; key = times.takeDue(now)) taken.push(key);
          const due = live.filter(({ dueMs }) => dueMs <= now);
          expect(new Set(taken)).toEqual(new Set(due.map(({ key }) => key)));
          const order = taken.map((key) => dues[key]!);
          expect(order).toEqual([...order].sort((a, b) => a - b));
        },
      ),
    ));
});
