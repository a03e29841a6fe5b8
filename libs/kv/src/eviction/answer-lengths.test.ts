import { describe, expect, it } from 'vitest';
import { AnswerLengths } from './answer-lengths.js';

describe('prompts by the length of their answers', () => {
  /** @returns of so many prompts with such an answer those that are seldom continued */
  const seldomOf = (
    answers: AnswerLengths<string>,
    name: string,
    prompts: number,
    answerTokens: number,
    back = false,
  ) =>
    Array.from({ length: prompts }, (_, index) => {
      const isSeldom = answers.ended(`${name} ${index}`, answerTokens);
      if (back) answers.used(`${name} ${index}`);
      return isSeldom;
    }).filter(Boolean).length;

  it('say nothing while all lengths come back alike, or too few were seen', () => {
    const answers = new AnswerLengths<string>();
    expect(seldomOf(answers, 'long', 200, 500)).toBe(0);
    expect(seldomOf(answers, 'short', 7, 5, true)).toBe(0);
    expect(seldomOf(answers, 'longer', 10, 600)).toBe(0);
  });

  it('are seldom continued where another length comes back far more often; one in eight is tried still', () => {
    const answers = new AnswerLengths<string>();
    seldomOf(answers, 'short', 50, 5, true);
    seldomOf(answers, 'long', 50, 500);
    expect(seldomOf(answers, 'more', 80, 500)).toBe(70);
    expect(seldomOf(answers, 'short again', 80, 5)).toBe(0);
  });

  it('are continued again when those that are tried come back', () => {
    const answers = new AnswerLengths<string>();
    seldomOf(answers, 'short', 50, 5, true);
    seldomOf(answers, 'long', 30, 500);
    expect(seldomOf(answers, 'revived', 400, 500, true)).toBeLessThan(100);
    expect(seldomOf(answers, 'after', 100, 500, true)).toBe(0);
  });

  it('are watched in a bounded number: those of long ago do not come back', () => {
    const answers = new AnswerLengths<string>();
    seldomOf(answers, 'short', 5_000, 5);
    seldomOf(answers, 'long', 50, 500);
    for (let index = 0; index < 900; index++) answers.used(`short ${index}`);
    expect(seldomOf(answers, 'more', 80, 500)).toBe(0);
    for (let index = 900; index < 5_000; index++) answers.used(`short ${index}`);
    expect(seldomOf(answers, 'yet more', 80, 500)).toBe(70);
  });
});
