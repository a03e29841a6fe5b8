import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { totalWeight } from '../../testing/total-weight.js';
import { decay } from './decay.js';
import { BEST_WEIGHT, WEIGHTLESS_DISTANCE, weightAt } from './weight.js';

const distances = () => fc.oneof(fc.double({ min: 0, max: 30, noNaN: true }), fc.double({ min: 0, noNaN: true }));

describe('the weight of a candidate', () => {
  it('given any distance, then it is e^-distance to 2^-34 of the best one, a whole number, and 0 from where that rounds to 0', () => {
    fc.assert(
      fc.property(distances(), (distance) => {
        const weight = weightAt(distance);
        expect(Number.isInteger(weight)).toBe(true);
        expect(Math.abs(weight - BEST_WEIGHT * Math.exp(-distance))).toBeLessThanOrEqual(0.5 + BEST_WEIGHT * 6e-11);
        if (distance >= WEIGHTLESS_DISTANCE) expect(weight).toBe(0);
      }),
      { numRuns: 2_000 },
    );
  });

  it('given the best candidate, then it is the unit; given one that is impossible, then nothing', () => {
    expect(weightAt(0)).toBe(BEST_WEIGHT);
    expect(weightAt(Infinity)).toBe(0);
  });

  it('given a vocabulary of 2^19 equal logits, when summed, then nothing is lost', () => {
    expect(totalWeight(new Float32Array(2 ** 19), 0, 1)).toBe(2 ** 53);
  });
});

describe('decay', () => {
  it('given any distance, then it is e^-distance to ten digits', () => {
    fc.assert(
      fc.property(distances(), (distance) => {
        const expected = Math.exp(-distance);
        expect(Math.abs(decay(distance) - expected)).toBeLessThanOrEqual(1e-10 * expected + Number.MIN_VALUE);
      }),
      { numRuns: 2_000 },
    );
  });
});
