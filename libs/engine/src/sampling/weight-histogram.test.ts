import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { weightAt } from './weight.js';
import { WeightHistogram } from './weight-histogram.js';

const histogram = new WeightHistogram();

/** Candidates in order, each with the weight up to it. */
function cumulated(logits: Float32Array, largest: number, inverseTemperature: number) {
  const ids = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b);
  let weight = 0;
  return ids.map((id) => {
    weight += weightAt((largest - logits[id]!) * inverseTemperature);
    return { id, weight };
  });
}

describe('WeightHistogram', () => {
  it('given any logits and temperature, when any weight is asked for, then it is the first candidate at which it is reached', () => {
    const logit = fc.oneof(
      fc.float({ min: -20, max: 20, noNaN: true }),
      fc.float({ min: Math.fround(0.999), max: 1, noNaN: true }), // many in one bin
      fc.constantFrom(1, 1, 2, -Infinity, -0),
    );
    fc.assert(
      fc.property(
        fc.array(logit, { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0.01, 0.5, 1, 1.4, 1e6),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 }),
        (values, inverseTemperature, shares) => {
          const logits = Float32Array.from(values);
          const largest = Math.max(...logits);
          fc.pre(Number.isFinite(largest));
          histogram.fill(logits, largest, inverseTemperature);
          const order = cumulated(logits, largest, inverseTemperature);
          expect(histogram.total).toBe(order.at(-1)!.weight);
          for (const wanted of shares.map((share) => Math.max(1, Math.floor(share * histogram.total)))) {
            expect(histogram.reach(wanted)).toEqual(order.find(({ weight }) => weight >= wanted));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('given a vocabulary of 2^19 equal logits, when filled, then nothing is lost and ids come in order', () => {
    histogram.fill(new Float32Array(2 ** 19), 0, 1);
    expect(histogram.total).toBe(2 ** 53);
    expect(histogram.reach(2 ** 53).id).toBe(2 ** 19 - 1);
    expect(histogram.reach(2 ** 35).id).toBe(1);
  });

  it('given a weight beyond all, when asked for, then it is an error', () => {
    histogram.fill(Float32Array.from([1, 2]), 2, 1);
    expect(() => histogram.reach(histogram.total + 1)).toThrow('No candidate reaches the weight');
  });
});
