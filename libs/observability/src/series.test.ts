import fc from 'fast-check';
import { Counter, Histogram, Registry, register } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { histogramWithExemplars, NO_EXEMPLAR, observe } from './exemplar.js';
import { SeriesCounter } from './series.js';

const LABELS = ['model', 'route'] as const;
const BUCKETS = [0.005, 0.1, 1, 2.5];

const labels = fc.record(
  { model: fc.constantFrom('a', 'b,route:x', '', '1'), route: fc.constantFrom('x', 'y', 'x,') },
  { requiredKeys: [] },
);
const values = fc.oneof(fc.constantFrom(...BUCKETS, 0, 3), fc.double({ min: 0, max: 5, noNaN: true }));

describe('series of metrics', () => {
  afterEach(() => register.clear());

  it('given any values, some with exemplars and with resets between, then a histogram says what one of prom-client does', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(labels, values, fc.nat(19)), { maxLength: 60 }), async (observed) => {
        register.clear();
        const options = { name: 'seconds', help: 'Some.', labelNames: LABELS, buckets: BUCKETS };
        const ours = histogramWithExemplars(options);
        const theirs = new Histogram({ ...options, registers: [new Registry()] });
        for (const [of, value, kind] of observed) {
          if (kind === 0) {
            ours.reset();
            theirs.reset();
          }
          observe(ours, of, value, kind < 5 ? { trace_id: 'a'.repeat(32) } : NO_EXEMPLAR);
          theirs.observe(of, value);
        }
        const told = ({ values }: Awaited<ReturnType<Histogram['get']>>) =>
          values.map(({ labels, value, metricName }) => ({ labels, value, metricName }));
        expect(told(await ours.get())).toEqual(told(await theirs.get()));
      }),
    ));

  it('given any amounts, then a counter says what one of prom-client does', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(labels, fc.option(values, { nil: undefined })), { maxLength: 60 }),
        async (all) => {
          register.clear();
          const ours = new SeriesCounter('things_total', 'Some.', LABELS);
          const theirs = new Counter({
            ...{ name: 'things_total', help: 'Some.', labelNames: LABELS },
            registers: [new Registry()],
          });
          for (const [of, amount] of all) {
            ours.add(of, amount);
            theirs.inc(of, amount);
          }
          expect(await ours.get()).toEqual(await theirs.get());
        },
      ),
    ));

  it('given what is no amount, no value or no label, then it throws as prom-client does', () => {
    const counter = new SeriesCounter('things_total', 'Some.', LABELS);
    const histogram = histogramWithExemplars({ name: 'seconds', help: 'Some.', labelNames: LABELS });
    const known = { model: 'a', route: 'x' };
    counter.add(known);
    observe(histogram, known, 1, NO_EXEMPLAR);
    for (const amount of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      if (!Number.isNaN(amount)) expect(() => counter.add(known, amount)).toThrow();
      if (amount !== -1) expect(() => observe(histogram, known, amount, NO_EXEMPLAR)).toThrow('not a valid number');
    }
    expect(() => counter.add({ tenant: 'a' } as never)).toThrow('not included in initial labelset');
    expect(() => counter.remove()).toThrow('not removed one by one');
  });
});
