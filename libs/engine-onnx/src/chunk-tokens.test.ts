import { describe, expect, it } from 'vitest';
import { chunkTokensOf } from './chunk-tokens.js';

describe('chunkTokensOf', () => {
  it.each([
    ['SmolLM2-135M in int4', 'int4', 112e6, 256],
    ['SmolLM2-1.7B in int8', 'int8', 2e9, 144],
    ['Llama 2 7B in int4', 'int4', 5.1e9, 36],
    ['Llama 2 7B in int8', 'int8', 7.8e9, 37],
    ['a model of 70 billion weights', 'int4', 53e9, 32],
  ] as const)(
    'given %s, when asked, then a chunk is as long as it is worth and a step stays short',
    (_, weights, weightsBytes, tokens) => {
      expect(chunkTokensOf({ weights, weightsBytes })).toBe(tokens);
    },
  );
});
