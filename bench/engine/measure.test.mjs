import { describe, expect, it } from 'vitest';
import { measurer } from './measure.mjs';

/** Answers with these shares of disturbance in turn, and rates in the order of asking. */
function engineDisturbedBy(...shares) {
  let asked = 0;
  return {
    ask: async () => ({ tokensPerSecond: asked, disturbedShare: shares[asked++] }),
    asked: () => asked,
  };
}

const patient = measurer({ retakeUntilMs: 1, nowMs: () => 0 });

describe('measure', () => {
  it('given a figure that nobody disturbed, then it is taken once', async () => {
    const engine = engineDisturbedBy(0.01);
    expect(await patient(engine, 'decode', {})).toEqual({ tokensPerSecond: 0, disturbedShare: 0.01 });
    expect(engine.asked()).toBe(1);
  });

  it('given disturbed figures, then it is taken again until one is quiet', async () => {
    const engine = engineDisturbedBy(0.4, 0.02, 0.01);
    expect(await patient(engine, 'decode', {})).toEqual({ tokensPerSecond: 1, disturbedShare: 0.02 });
  });

  it('given no quiet one, then the least disturbed of three counts, however fast it was', async () => {
    const engine = engineDisturbedBy(0.2, 0.1, 0.3, 0);
    expect(await patient(engine, 'decode', {})).toEqual({ tokensPerSecond: 1, disturbedShare: 0.1 });
    expect(engine.asked()).toBe(3);
  });

  it('given that time is up, then the first answer counts', async () => {
    const hurried = measurer({ retakeUntilMs: 1, nowMs: () => 2 });
    expect(await hurried(engineDisturbedBy(0.9, 0), 'decode', {})).toMatchObject({ disturbedShare: 0.9 });
  });
});
