import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { totalWeight } from '../../testing/total-weight.js';
import { largestLogit } from './largest-logit.js';
import { LogitRow } from './logit-row.js';
import { uniformAt } from './philox.js';
import { weightAt } from './weight.js';

const row = new LogitRow();

const logit = () =>
  fc.oneof(
    { weight: 6, arbitrary: fc.float({ min: -30, max: 30, noNaN: true }) },
    { weight: 2, arbitrary: fc.constantFrom(-2, 0, -0, 1, 2.5, -Infinity, Math.fround(1e-40)) },
    { weight: 1, arbitrary: fc.float({ noNaN: true, noDefaultInfinity: true }) },
  );
const rows = (values = logit()) => fc.array(values, { minLength: 1, maxLength: 300 }).map((a) => Float32Array.from(a));

/** What it returns, or the message of what it throws. */
function outcome<T>(run: () => T): T | string {
  try {
    return run();
  } catch (error) {
    return (error as Error).message;
  }
}

describe('LogitRow', () => {
  it('given any row, when asked for the best, then it is the one that a plain search finds, or the same error', () => {
    const odd = fc.oneof({ weight: 20, arbitrary: logit() }, fc.constantFrom(Number.NaN, Infinity));
    fc.assert(
      fc.property(fc.oneof(rows(), rows(odd), rows(fc.constantFrom(-Infinity))), (logits) => {
        row.load(logits);
        expect(outcome(() => row.best())).toBe(outcome(() => largestLogit(logits)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('given any row, when divided, then the near ones are all down to some logit, and the weight of the others is within half of the bounds', () => {
    fc.assert(
      fc.property(
        rows(),
        fc.oneof(fc.constantFrom(1, 0.5, 100, 1e-20, 1e20), fc.double({ min: 0.5, max: 100, noNaN: true })),
        fc.constantFrom(0, 1, 5, 13),
        (logits, inverseTemperature, reach) => {
          fc.pre(logits.some(Number.isFinite));
          row.load(logits);
          const largest = logits[row.best()]!;
          const { nearIds, far } = row.divide(largest, inverseTemperature, reach, logits.length)!;
          const near = new Set(nearIds);
          const leastNear = Math.min(...[...near].map((id) => logits[id]!));
          const others = logits.filter((_, id) => !near.has(id));
          expect([...nearIds]).toEqual([...logits.keys()].filter((id) => logits[id]! >= leastNear));
          expect(near.has(largestLogit(logits))).toBe(true);
          expectWithin(others, largest, inverseTemperature, far);
          for (const other of others) {
            expect(weightAt((largest - other) * inverseTemperature)).toBeLessThanOrEqual(far.mostOfOne);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('given a vocabulary, from peaked to flat, when divided, then the weight of the others is within half of the bounds', () => {
    for (const spread of [0.1, 1, 2, 4, 8]) {
      for (const inverseTemperature of [0.5, 1, 3, 100]) {
        const logits = Float32Array.from({ length: 49_155 }, (_, id) => {
          const [a, b] = [uniformAt(1, 0, id), uniformAt(1, 1, id)];
          return spread * Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b);
        });
        row.load(logits);
        const largest = logits[row.best()]!;
        const divided = row.divide(largest, inverseTemperature, 3, 10_000);
        const nearCount = logits.filter((logit) => (largest - logit) * inverseTemperature <= 3).length;
        if (nearCount > 10_000) expect(divided).toBeUndefined();
        else {
          const near = new Set(divided!.nearIds);
          expect(near.size).toBe(nearCount);
          expectWithin(
            logits.filter((_, id) => !near.has(id)),
            largest,
            inverseTemperature,
            divided!.far,
          );
        }
      }
    }
  });

  it('given steps of distance over all that weighs, when each is divided alone, then its weight is within half of the bounds', () => {
    for (let distance = 0.001; distance < 25; distance += 0.001) {
      const logits = Float32Array.from([0, -distance]);
      row.load(logits);
      expectWithin(logits.subarray(1), 0, 1, row.divide(0, 1, 0, 1)!.far);
    }
  });

  it('given rows of other sizes before, when loaded, then nothing of them is left', () => {
    for (const size of [100_000, 17, 1, 262_144, 16]) {
      const logits = new Float32Array(size).fill(-1);
      logits[size - 1] = 1;
      row.load(logits);
      expect(row.best()).toBe(size - 1);
      const { nearIds, far } = row.divide(1, 1, 1, 10)!;
      expect([...nearIds]).toEqual([size - 1]);
      expectWithin(logits.subarray(0, -1), 1, 1, far);
    }
  });

  it('given more candidates than may be near, or a temperature beyond the bounds, when divided, then there is no answer', () => {
    row.load(new Float32Array(40_000));
    expect(row.divide(0, 1, 1, 39_999)).toBeUndefined();
    expect(row.divide(0, 1, 1, 40_000)).toBeUndefined(); // more than there is room for
    row.load(new Float32Array(1_000));
    expect(row.divide(0, 1, 1, 999)).toBeUndefined();
    expect(row.divide(0, 1, 1, 1_000)!.far).toMatchObject({ least: 0, most: 0 });
    expect(row.divide(0, 1e31, 1, 1_000)).toBeUndefined();
    expect(row.divide(0, 1e-31, 1, 1_000)).toBeUndefined();
  });
});

function expectWithin(
  others: Float32Array,
  largest: number,
  inverseTemperature: number,
  far: { readonly least: number; readonly most: number },
): void {
  const exact = totalWeight(others, largest, inverseTemperature);
  const middle = (far.least + far.most) / 2;
  // Where the lower bound is cut at 0 the middle is not what was computed.
  if (far.least > 0) expect(Math.abs(exact - middle)).toBeLessThanOrEqual((far.most - far.least) / 4);
  expect(far.least).toBeLessThanOrEqual(exact);
  expect(far.most).toBeGreaterThanOrEqual(exact);
}
