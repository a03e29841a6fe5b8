import { describe, expect, it } from 'vitest';
import { AnswerClock } from './answer-clock.js';

const usage = { prompt_tokens: 9, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 8 } };

describe('AnswerClock', () => {
  it('given an answer, then TTFT counts from the request and the rate leaves its first token out', () => {
    const clock = new AnswerClock(1_000);
    clock.saw({ kind: 'prompt', promptTokens: 9 }, 1_010);
    clock.saw({ kind: 'text', text: 'a', tokens: 1 }, 1_050);
    clock.saw({ kind: 'text', text: 'b', tokens: 2 }, 1_100);
    clock.saw({ kind: 'finish', reason: 'stop', tokens: 1 }, 1_150);
    clock.saw({ kind: 'usage', usage }, 1_151);
    expect(clock.figures()).toEqual({
      ...{ ttftMs: 50, tokensPerSecond: 30, promptTokens: 9, cachedTokens: 8, completionTokens: 4 },
      finishReason: 'stop',
    });
  });

  it('given one that was stopped, then what came is counted, and of the cache nothing is known', () => {
    const clock = new AnswerClock(0);
    clock.saw({ kind: 'prompt', promptTokens: 9 }, 5);
    for (const atMs of [10, 20, 30]) clock.saw({ kind: 'text', text: 'a', tokens: 1 }, atMs);
    expect(clock.figures()).toEqual({ ttftMs: 10, tokensPerSecond: 100, promptTokens: 9, completionTokens: 3 });
  });

  it('given no token, or one alone, then there is no rate', () => {
    const clock = new AnswerClock(0);
    expect(clock.figures()).toEqual({ completionTokens: 0 });
    clock.saw({ kind: 'text', text: 'a', tokens: 1 }, 10);
    expect(clock.figures().tokensPerSecond).toBeUndefined();
  });
});
