import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FetchTimeModel } from './fetch-time-model.js';

const MEBIBYTE = 1_048_576;

describe('FetchTimeModel', () => {
  it('given nothing observed, then it is a network of 1 Gbit/s', () => {
    expect(new FetchTimeModel().fetchMs(10 * MEBIBYTE)).toBeCloseTo(85, 6);
  });

  it('given fetches of any sizes over any link, when enough were seen, then it foretells others', () =>
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 100, noNaN: true }),
        fc.double({ min: 0.2, max: 50, noNaN: true }),
        (latencyMs, msPerMebibyte) => {
          const model = new FetchTimeModel();
          for (let round = 0; round < 300; round++) {
            const fetches = 1 + (round % 3);
            const mebibytes = 1 + ((round * 7) % 40);
            model.observe(fetches, mebibytes * MEBIBYTE, fetches * latencyMs + mebibytes * msPerMebibyte);
          }
          const expected = latencyMs + 20 * msPerMebibyte;
          expect(Math.abs(model.fetchMs(20 * MEBIBYTE) - expected)).toBeLessThan(0.05 * expected + 0.5);
        },
      ),
    ));

  it('given any observations, then no time is negative, and more bytes never take less', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat(1e8), fc.nat(1e4)), { maxLength: 20 }),
        fc.nat(1e9),
        (observations, bytes) => {
          const model = new FetchTimeModel();
          for (const [fetches, fetched, ms] of observations) model.observe(fetches, fetched, ms);
          expect(model.fetchMs(bytes)).toBeGreaterThanOrEqual(0);
          expect(model.fetchMs(2 * bytes)).toBeGreaterThanOrEqual(model.fetchMs(bytes));
        },
      ),
    ));

  it('given a worker that has fetched nothing, then it is taken for one like the others; else it is its own link that counts', () => {
    const fleet = new FetchTimeModel();
    const [seen, unseen] = [new FetchTimeModel(fleet), new FetchTimeModel(fleet)];
    for (let round = 0; round < 100; round++) fleet.observe(1, 10 * MEBIBYTE, 1_000);
    expect(unseen.fetchMs(MEBIBYTE)).toBe(fleet.fetchMs(MEBIBYTE));
    for (let round = 0; round < 100; round++) seen.observe(1, 10 * MEBIBYTE, 10);
    expect(seen.fetchMs(10 * MEBIBYTE)).toBeLessThan(fleet.fetchMs(10 * MEBIBYTE) / 10);
  });
});
