import { expect, it } from 'vitest';
import { FetchWorth } from './fetch-worth.js';

const MEBIBYTE = 1_048_576;
const computed = (tokens: number, ms: number) => ({
  phases: [
    { kind: 'queued' as const, startUs: 0, endUs: 5_000 },
    {
      ...{ kind: 'prefill-chunk' as const, startUs: 5_000, endUs: 5_000 + 1_000 * ms },
      ...{ sequenceIndex: 0, fromToken: 0, toToken: tokens, chunks: 1 },
    },
  ],
  endUs: 5_000 + 1_000 * ms,
});

it('given nothing computed before, then asking is worth it', () => {
  expect(new FetchWorth().isWorth(16, 100 * MEBIBYTE)).toBe(true);
});

it('given a slow engine and a fast link, then asking is worth it; given a fast engine and a slow link, then it is not', () => {
  const slowEngine = new FetchWorth();
  slowEngine.noteComputed(computed(100, 1_000));
  slowEngine.noteFetch(10 * MEBIBYTE, 20);
  expect(slowEngine.isWorth(160, 7 * MEBIBYTE)).toBe(true);
  const fastEngine = new FetchWorth();
  fastEngine.noteComputed(computed(1_000, 10));
  for (let n = 0; n < 20; n++) fastEngine.noteFetch(10 * MEBIBYTE, 1_000);
  expect(fastEngine.isWorth(160, 7 * MEBIBYTE)).toBe(false);
});

it('given a link that was slow, when it is not worth it for long, then it is tried again, and noticed to be faster', () => {
  const worth = new FetchWorth();
  worth.noteComputed(computed(100, 100));
  for (let n = 0; n < 20; n++) worth.noteFetch(10 * MEBIBYTE, 10_000);
  const asked = Array.from({ length: 64 }, () => worth.isWorth(160, 7 * MEBIBYTE)).filter(Boolean);
  expect(asked).toHaveLength(2);
  for (let n = 0; n < 500; n++) worth.noteFetch(10 * MEBIBYTE, 10);
  expect(worth.isWorth(160, 7 * MEBIBYTE)).toBe(true);
});

it('given prompts that were cached whole, then nothing is learned of them', () => {
  const worth = new FetchWorth();
  worth.noteComputed({ phases: [], endUs: 0 });
  expect(worth.isWorth(16, 100 * MEBIBYTE)).toBe(true);
});
