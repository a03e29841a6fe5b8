import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BackOff } from './back-off.js';

describe('BackOff', () => {
  it('given any bounds, every wait lies within them and begins anew after a reset', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 1_000, max: 60_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (initialMs, maxMs, randomValue) => {
          const backOff = new BackOff({ initialMs, maxMs, random: () => randomValue });
          const first = backOff.nextMs();
          for (let attempt = 0; attempt < 50; attempt++) expect(backOff.nextMs()).toBeLessThanOrEqual(maxMs);
          backOff.reset();
          expect(backOff.nextMs()).toBe(first);
          expect(first).toBeGreaterThanOrEqual(initialMs / 2);
        },
      ),
    ));
});
