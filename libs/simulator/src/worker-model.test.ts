import { describe, expect, it } from 'vitest';
import { aloneSeconds, H100_8B, InvalidWorkerModelError, parseWorkerModel, stepSeconds } from './worker-model.js';

describe('a worker model', () => {
  it('adds up what a step carries', () => {
    const load = { prefillTokens: 1_000, decodingSequences: 10, contextTokens: 20_000, attentionPairs: 500_000 };
    expect(stepSeconds(H100_8B, load)).toBeCloseTo(6.5e-3 + 0.022 + 1.2e-4 + 9.8e-4 + 5.3e-4, 9);
  });

  it('knows the time to first token of a prompt alone', () => {
    expect(aloneSeconds(H100_8B, 6_758)).toBeCloseTo(0.1989, 4);
  });

  it('takes from a file what it gives and keeps the rest', () => {
    expect(parseWorkerModel({ a: 0.01, kvBlocks: 1_600 })).toEqual({ ...H100_8B, stepBaseS: 0.01, kvBlocks: 1_600 });
  });

  it.each([[[]], ['7'], [null], [{ a: -1 }], [{ a: 'x' }], [{ kvBlocks: 0 }], [{ tokenBudget: 1.5 }], [{ f: 1 }]])(
    'refuses %j',
    (json) => expect(() => parseWorkerModel(json)).toThrow(InvalidWorkerModelError),
  );
});
