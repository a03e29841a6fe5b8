import { describe, expect, it } from 'vitest';
import { interTokenLatency, jointRate } from './stream-rate.mjs';

const arrivals = (startMs, gapMs, count) => Array.from({ length: count }, (_, i) => startMs + i * gapMs);

describe('jointRate', () => {
  it('given streams that step together, then it is the tokens of all per second after the warm-up', () => {
    expect(jointRate([arrivals(0, 100, 11), arrivals(0, 100, 11)], 1)).toBeCloseTo(20);
  });

  it('given a slow warm-up, then it does not count', () => {
    expect(jointRate([[0, 5_000, 5_100, 5_200, 5_300]], 2)).toBeCloseTo(10);
  });

  it('given a stream that started before the others, then its earlier tokens do not count', () => {
    const late = arrivals(1_000, 100, 11);
    expect(jointRate([arrivals(0, 100, 21), late], 1)).toBeCloseTo(jointRate([late, late], 1));
  });

  it('given a stream that ends early, then the rate is lower, not higher', () => {
    const whole = arrivals(0, 100, 11);
    expect(jointRate([whole, whole.slice(0, 6)], 1)).toBeCloseTo(15);
  });
});

it('gaps are between neighbours of one stream, after its warm-up', () => {
  const latency = interTokenLatency(
    [
      [0, 900, 910, 920],
      [5, 6, 36, 41],
    ],
    2,
  );
  expect(latency).toEqual({ p50Ms: 10, p99Ms: 30, maxMs: 30, count: 4 });
});
