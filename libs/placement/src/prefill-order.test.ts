import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inPrefillOrder, prefillUrgency } from './prefill-order.js';

interface Prompt {
  readonly arrivedMs: number;
  readonly tokens: number;
  remainingTokens: number;
}

const urgencyAt =
  (nowMs: number) =>
  ({ remainingTokens, arrivedMs }: Prompt) =>
    prefillUrgency(remainingTokens, nowMs - arrivedMs);

describe('srpt', () => {
  it('given any prompts, then the shortest of those that came together is first, and fifo leaves them as they came', () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9_000 })), (lengths) => {
        const prompts = lengths.map((tokens) => ({ arrivedMs: 0, tokens, remainingTokens: tokens }));
        const shortestFirst = [...lengths].sort((a, b) => a - b);
        expect(inPrefillOrder('srpt', prompts, urgencyAt(50)).map(({ tokens }) => tokens)).toEqual(shortestFirst);
        expect(inPrefillOrder('fifo', prompts, urgencyAt(50)).map(({ tokens }) => tokens)).toEqual(lengths);
      }),
    ));

  it('given an endless flood of short prompts, then each prompt gets its turn: nobody passes it who comes as many milliseconds later as it has tokens', () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ afterMs: fc.nat({ max: 40 }), tokens: fc.integer({ min: 1, max: 600 }) }), {
          minLength: 2,
          maxLength: 120,
        }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 64 }),
        (arrivals, tokensPerMs, chunkTokens) => {
          let atMs = 0;
          const prompts = arrivals.map(({ afterMs, tokens }): Prompt => {
            atMs += afterMs;
            return { arrivedMs: atMs, tokens, remainingTokens: tokens };
          });
          let nowMs = 0;
          while (prompts.some(({ remainingTokens }) => remainingTokens > 0)) {
            const waiting = prompts.filter((one) => one.remainingTokens > 0 && one.arrivedMs <= nowMs);
            const [next] = inPrefillOrder('srpt', waiting, urgencyAt(nowMs));
            if (next === undefined) {
              nowMs = Math.min(...prompts.filter((one) => one.remainingTokens > 0).map(({ arrivedMs }) => arrivedMs));
              continue;
            }
            const passed = waiting.filter((one) => one.arrivedMs + one.tokens <= next.arrivedMs);
            expect(passed).toEqual([]);
            const tokens = Math.min(chunkTokens, next.remainingTokens);
            next.remainingTokens -= tokens;
            nowMs += tokens / tokensPerMs;
          }
        },
      ),
    ));
});
