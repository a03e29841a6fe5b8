import { describe, expect, it } from 'vitest';
import { ask, askAgain, changeAnswer, isRunning, type Turn, toMessages } from './conversation.js';

const answered = (turns: readonly Turn[], text: string) =>
  changeAnswer(turns, turns.at(-1)?.id ?? 0, { state: 'done', text });

describe('a conversation', () => {
  it('given questions and answers, then the model is sent them in order behind the system prompt', () => {
    const turns = ask(answered(ask([], 'one', 'm'), 'two'), 'three', 'm');
    expect(toMessages(turns, 'Be brief.')).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'two' },
      { role: 'user', content: 'three' },
    ]);
    expect(toMessages(turns, '  ')[0]).toEqual({ role: 'user', content: 'one' });
  });

  it('given an exchange that failed before its first text, then the model is not sent its question again', () => {
    const failed = changeAnswer(ask([], 'lost', 'm'), 2, { state: 'failed', problem: { message: 'x', code: 'y' } });
    expect(toMessages(ask(failed, 'next', 'm'), '')).toEqual([{ role: 'user', content: 'next' }]);
  });

  it('given an answer that was stopped, then what there was of it stays', () => {
    const stopped = changeAnswer(ask([], 'one', 'm'), 2, { state: 'stopped', text: 'half' });
    expect(toMessages(ask(stopped, 'go on', 'm'), '').map(({ content }) => content)).toEqual(['one', 'half', 'go on']);
  });

  it('when the last question is asked again, then its answer is another one, by the model that is chosen now', () => {
    const first = answered(ask(answered(ask([], 'one', 'm'), 'two'), 'three', 'm'), 'four');
    const again = askAgain(first, 'other');
    expect(again.map((turn) => turn.text)).toEqual(['one', 'two', 'three', '']);
    expect(again.at(-1)).toMatchObject({ state: 'waiting', model: 'other' });
    expect(askAgain([], 'm')).toEqual([]);
  });

  it('given a change for an answer that was cleared away, then nothing comes of it', () => {
    expect(changeAnswer([], 2, { text: 'late' })).toEqual([]);
  });

  it('runs from the question to the end of its answer', () => {
    const asked = ask([], 'one', 'm');
    const states = ['streaming', 'done', 'stopped', 'failed'] as const;
    expect(isRunning(asked)).toBe(true);
    expect(states.map((state) => isRunning(changeAnswer(asked, 2, { state })))).toEqual([true, false, false, false]);
    expect(isRunning([])).toBe(false);
  });
});
