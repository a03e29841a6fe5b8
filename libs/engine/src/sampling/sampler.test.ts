import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { naiveSample } from '../../testing/naive-sampler.js';
import { InvalidLogitsError } from './largest-logit.js';
import { uniformAt } from './philox.js';
import { Sampler, type SamplerParams } from './sampler.js';

const sampler = new Sampler();
const OFF: SamplerParams = { temperature: 1, topP: 1, topK: 0, minP: 0 };

/** Values that meet in ties, that weigh nothing, that are as large as can be, and the usual ones. */
const logit = () =>
  fc.oneof(
    { weight: 4, arbitrary: fc.float({ min: -30, max: 30, noNaN: true }) },
    { weight: 2, arbitrary: fc.constantFrom(-2, 0, 1, 2, 2.5) },
    { weight: 1, arbitrary: fc.float({ noNaN: true, max: Math.fround(3.4e38) }) },
    { weight: 1, arbitrary: fc.constantFrom(-Infinity, Math.fround(-3.4e38), -0, Math.fround(1e-40)) },
  );

const smallRows = () =>
  fc.oneof(
    fc.array(logit(), { minLength: 1, maxLength: 400 }),
    fc.array(fc.float({ min: -5, max: 5, noNaN: true }), { minLength: 1, maxLength: 400 }),
    fc.tuple(logit(), fc.integer({ min: 1, max: 400 })).map(([value, size]) => Array<number>(size).fill(value)),
  );

/** As a language model's: normally distributed, in steps or not, from peaked to flat, some forbidden. */
const largeRows = () =>
  fc
    .record({
      size: fc.integer({ min: 1_000, max: 50_000 }),
      seed: fc.nat(),
      spread: fc.constantFrom(0, 0.01, 1, 3, 20),
      step: fc.constantFrom(0, 0.25),
      forbidden: fc.constantFrom(0, 0.3),
    })
    .map(({ size, seed, spread, step, forbidden }) =>
      Array.from({ length: size }, (_, id) => {
        const [a, b] = [uniformAt(seed, 0, id), uniformAt(seed, 1, id)];
        if (id > 0 && uniformAt(seed, 2, id) < forbidden) return -Infinity;
        const value = spread * Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b);
        return step > 0 ? Math.round(value / step) * step : value;
      }),
    );

const params = () =>
  fc.record({
    temperature: fc.oneof(
      fc.constantFrom(0, 1e-30, 0.01, 0.3, 0.7, 1, 2, 100),
      fc.double({ min: 1e-3, max: 2, noNaN: true }),
    ),
    topP: fc.oneof(fc.constantFrom(1, 1, 0.9, 0.5, 1e-9), fc.float({ min: Math.fround(0.01), max: 1, noNaN: true })),
    topK: fc.constantFrom(0, 0, 1, 2, 7, 50, 300, 1_000, 100_000),
    minP: fc.constantFrom(0, 0, 1e-12, 0.05, 0.5, 1),
  });

/** The generator's values: multiples of 2^-53, the ends of their range among them. */
const draw = () =>
  fc.oneof(
    fc.constantFrom(0, 2 ** -53, 0.5, 1 - 2 ** -53),
    fc.maxSafeNat().map((n) => Math.min(n, 2 ** 53 - 1) / 2 ** 53),
  );

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe('Sampler', () => {
  it.each([
    ['few', smallRows(), 1_000],
    ['many', largeRows(), 30],
  ])(
    'given any logits of %s tokens, when sampled, then the token is exactly that of the definition',
    (_, rows, numRuns) => {
      fc.assert(
        fc.property(rows, fc.array(fc.tuple(params(), draw()), { minLength: 1, maxLength: 4 }), (values, draws) => {
          const logits = Float32Array.from(values);
          fc.pre(logits.some(Number.isFinite));
          for (const [chosen, u] of draws) {
            expect(sampler.sample(logits, chosen, u)).toBe(naiveSample(logits, chosen, u).tokenId);
          }
        }),
        { numRuns },
      );
    },
    60_000,
  );

  it.each([
    ['few', smallRows(), 500],
    ['many', largeRows(), 20],
  ])(
    'given any logits of %s tokens, when drawn at and next to a border of two tokens, then the token is exactly that of the definition',
    (_, rows, numRuns) => {
      const whole = params().map((chosen) => ({ ...chosen, topK: 0, minP: 0 }));
      const borders = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 3 });
      const offset = fc.oneof(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -(2 ** 40), max: 2 ** 40 }));
      fc.assert(
        fc.property(rows, whole, borders, offset, (values, chosen, shares, away) => {
          const logits = Float32Array.from(values);
          fc.pre(logits.some(Number.isFinite));
          const { weights } = naiveSample(logits, chosen, 0);
          for (const share of shares) {
            const upTo = sum(weights.slice(0, 1 + Math.floor(share * weights.length)));
            const steps = Math.floor((upTo / sum(weights)) * 2 ** 53) + away;
            const u = Math.min(Math.max(0, steps), 2 ** 53 - 1) / 2 ** 53;
            expect(sampler.sample(logits, chosen, u)).toBe(naiveSample(logits, chosen, u).tokenId);
          }
        }),
        { numRuns },
      );
    },
    60_000,
  );

  it.each([
    ['T = 1', OFF],
    ['T = 2', { ...OFF, temperature: 2 }],
    ['T = 0.7, top_p = 0.9', { ...OFF, temperature: 0.7, topP: 0.9 }],
    ['top_k = 20', { ...OFF, topK: 20 }],
  ])(
    'given 40,000 draws at %s, when counted, then chi-square does not tell them from the distribution',
    (_, params) => {
      const size = 400;
      const draws = 40_000;
      const logits = Float32Array.from(
        { length: size },
        (_, id) => 3 * Math.sin(id * 12.9898) + 2 * Math.cos(id * 4.1414),
      );
      const { keptIds: ids } = naiveSample(logits, params, 0);
      // Not our weights but the exponential itself.
      const weights = ids.map((id) => Math.exp((logits[id]! - logits[ids[0]!]!) / params.temperature));
      const total = sum(weights);
      const counts = new Map<number, number>();
      for (let position = 0; position < draws; position++) {
        const id = sampler.sample(logits, params, uniformAt(1, 0, position));
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
      expect([...counts.keys()].every((id) => ids.includes(id))).toBe(true);
      let statistic = 0;
      let cells = 0;
      let rest = { expected: 0, counted: 0 };
      for (const [at, id] of ids.entries()) {
        const expected = (weights[at]! / total) * draws;
        const counted = counts.get(id) ?? 0;
        if (expected < 5) rest = { expected: rest.expected + expected, counted: rest.counted + counted };
        else {
          statistic += (counted - expected) ** 2 / expected;
          cells++;
        }
      }
      if (rest.expected > 0) {
        statistic += (rest.counted - rest.expected) ** 2 / rest.expected;
        cells++;
      }
      // Mean and deviation of chi-square are f and √(2 f); the seed is fixed, so this either holds or does not.
      const freedom = cells - 1;
      expect(Math.abs(statistic - freedom)).toBeLessThan(3.5 * Math.sqrt(2 * freedom));
    },
  );

  it('given temperature 0 or top_k 1, when logits are equal, then the lowest id of the largest comes', () => {
    const logits = Float32Array.from([1, 5, 5, 2]);
    expect(sampler.sample(logits, { ...OFF, temperature: 0 }, 0.99)).toBe(1);
    expect(sampler.sample(logits, { ...OFF, topK: 1 }, 0.99)).toBe(1);
  });

  it.each([
    [[1, Number.NaN], 'the logit of token 1 is not a number'],
    [[1, Infinity], 'the logit of token 1 is infinite'],
    [[-Infinity, -Infinity], 'no token has a finite logit'],
  ])('given %j, when sampled, then it is an error and no token', (values, message) => {
    const logits = Float32Array.from(values);
    for (const temperature of [0, 1]) {
      expect(() => sampler.sample(logits, { ...OFF, temperature }, 0.5)).toThrow(new InvalidLogitsError(message));
    }
  });
});
