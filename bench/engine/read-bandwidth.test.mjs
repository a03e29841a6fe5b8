import { expect, it } from 'vitest';
import { readBandwidth } from './read-bandwidth.mjs';

it('given two threads, when they read, then it is a figure that memory can have', async () => {
  const bytesPerSecond = await readBandwidth(2);
  expect(bytesPerSecond).toBeGreaterThan(1e7);
  expect(bytesPerSecond).toBeLessThan(1e13);
}, 60_000);
