import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dequantize, Q8_0, quantizeToQ8_0 } from './gguf-blocks.mjs';

it('given any weights, when they go through Q8_0, then each is off by at most half a step of its block and the rounding of its scale', () => {
  const weights = fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 64, maxLength: 64 });
  fc.assert(
    fc.property(weights, (values) => {
      const floats = Float32Array.from(values);
      const back = dequantize(quantizeToQ8_0(floats), 0, { name: 'w', shape: [32, 2], type: Q8_0 });
      for (const [i, value] of floats.entries()) {
        const block = floats.subarray(i - (i % 32), i - (i % 32) + 32);
        const most = block.reduce((sofar, each) => Math.max(sofar, Math.abs(each)), 0);
        // Half a step, 1/2048 of the value where the scale is a normal half, 127 steps of 2^-25 where it is not.
        expect(Math.abs(back[i] - value)).toBeLessThanOrEqual(most / 254 + most / 2000 + 2 ** -18);
      }
    }),
  );
});

it('given a type that it does not know, then it says whose', () => {
  expect(() => dequantize(Buffer.alloc(64), 0, { name: 'blk.0.q', shape: [32], type: 12 })).toThrow(
    'blk.0.q has ggml type 12',
  );
});
