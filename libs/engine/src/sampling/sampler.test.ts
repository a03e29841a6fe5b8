import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { uniformAt } from './philox.js';
import { InvalidLogitsError, Sampler, type SamplerParams } from './sampler.js';

const sampler = new Sampler();
const OFF: SamplerParams = { temperature: 1, topP: 1, topK: 0, minP: 0 };

/** The definition, computed the long way: sort everything, keep a run, walk it. */
function reference(logits: Float32Array, { temperature, topP, topK, minP }: SamplerParams, u: number) {
  const ids = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b);
  const weights = ids.map((id) => Math.exp((logits[id]! - logits[ids[0]!]!) / temperature));
  let count = weights.filter((weight) => weight >= minP).length;
  if (topK > 0) count = Math.min(count, topK);
  const total = sum(weights.slice(0, count));
  if (topP < 1) {
    let reached = 0;
    let kept = 0;
    while (kept < count && reached < topP * total) reached += weights[kept++]!;
    count = Math.max(1, kept);
  }
  const kept = weights.slice(0, count);
  let target = u * sum(kept);
  let at = 0;
  while (at < count - 1 && target >= kept[at]!) target -= kept[at++]!;
  return { ids: ids.slice(0, count), id: ids[at]!, distanceToBorder: Math.min(target, kept[at]! - target) / sum(kept) };
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

const rows = () =>
  fc
    .array(fc.oneof(fc.double({ min: -30, max: 30, noNaN: true }), fc.constantFrom(1, 2, -Infinity)), {
      minLength: 1,
      maxLength: 300,
    })
    .map((values) => Float32Array.from([...values, 0]));

describe('Sampler', () => {
  it('given any logits and parameters, when sampled, then the token is that of the definition', () =>
    fc.assert(
      fc.property(
        rows(),
        fc.record({
          temperature: fc.constantFrom(0.3, 1, 2),
          topP: fc.constantFrom(1, 0.9, 0.5, 0.01),
          topK: fc.constantFrom(0, 2, 7, 1_000),
          minP: fc.constantFrom(0, 0.05, 0.5),
        }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (logits, params, u) => {
          const expected = reference(logits, params, u);
          const got = sampler.sample(logits, params, u);
          if (got === expected.id) return;
          // Sums in two orders differ in their last digits: a neighbour is right where the draw falls on the border.
          expect(Math.abs(expected.ids.indexOf(got) - expected.ids.indexOf(expected.id))).toBe(1);
          expect(expected.distanceToBorder).toBeLessThan(1e-9);
        },
      ),
      { numRuns: 500 },
    ));

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
      const { ids } = reference(logits, params, 0);
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
