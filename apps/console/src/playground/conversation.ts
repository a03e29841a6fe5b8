import type { ProblemFacts } from '../api/problem.js';
import type { AnswerFigures } from './answer-clock.js';

/** How far an answer has come. `stopped`: by the person who asked. */
export type AnswerState = 'waiting' | 'streaming' | 'done' | 'stopped' | 'failed';

export interface Question {
  readonly role: 'user';
  readonly id: number;
  readonly text: string;
}

export interface Answer {
  readonly role: 'assistant';
  readonly id: number;
  readonly model: string;
  readonly state: AnswerState;
  readonly text: string;
  readonly figures?: AnswerFigures;
  readonly problem?: ProblemFacts;
}

export type Turn = Question | Answer;

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** Adds a question with its answer, which is awaited. */
export function ask(turns: readonly Turn[], text: string, model: string): readonly Turn[] {
  const id = (turns.at(-1)?.id ?? 0) + 1;
  return [...turns, { role: 'user', id, text }, { role: 'assistant', id: id + 1, model, state: 'waiting', text: '' }];
}

/** The last question anew: its answer is dropped. */
export function askAgain(turns: readonly Turn[], model: string): readonly Turn[] {
  const at = turns.findLastIndex(({ role }) => role === 'user');
  const question = turns[at];
  return question?.role === 'user' ? ask(turns.slice(0, at), question.text, model) : turns;
}

/** @returns the same turns when there is no such answer any more */
export function changeAnswer(turns: readonly Turn[], id: number, change: Partial<Answer>): readonly Turn[] {
  if (!turns.some((turn) => turn.id === id)) return turns;
  return turns.map((turn) => (turn.id === id && turn.role === 'assistant' ? { ...turn, ...change } : turn));
}

export function isRunning(turns: readonly Turn[]): boolean {
  const last = turns.at(-1);
  return last?.role === 'assistant' && (last.state === 'waiting' || last.state === 'streaming');
}

/** What the model is sent: the system prompt, if any, and all turns with a text; a failed exchange is left out whole. */
export function toMessages(turns: readonly Turn[], systemPrompt: string): ChatMessage[] {
  const messages: ChatMessage[] = systemPrompt.trim() === '' ? [] : [{ role: 'system', content: systemPrompt }];
  for (const [index, turn] of turns.entries()) {
    if (turn.role === 'assistant') {
      if (turn.text !== '') messages.push({ role: 'assistant', content: turn.text });
      continue;
    }
    const answer = turns[index + 1];
    const isLost = answer?.role === 'assistant' && answer.state !== 'waiting' && answer.text === '';
    if (!isLost) messages.push({ role: 'user', content: turn.text });
  }
  return messages;
}
