import { count, duration, rate } from '../widgets/quantities.js';
import type { AnswerFigures } from './answer-clock.js';

export interface FigureWords {
  readonly name: string;
  readonly value: string;
  /** What it counts, for those who point at it. */
  readonly title: string;
}

/** An answer's figures as they are shown; what is not known is left out. */
export function figureWords(figures: AnswerFigures): FigureWords[] {
  const { ttftMs, tokensPerSecond, promptTokens, cachedTokens, completionTokens, finishReason } = figures;
  const words: FigureWords[] = [];
  if (ttftMs !== undefined) {
    words.push({ name: 'TTFT', value: duration(ttftMs), title: 'From sending the request to its first token' });
  }
  if (tokensPerSecond !== undefined) {
    words.push({ name: 'tokens/s', value: rate(tokensPerSecond), title: 'Of all tokens but the first' });
  }
  if (promptTokens !== undefined) {
    const cached = cachedTokens ? `, ${count(cachedTokens)} cached` : '';
    const title = 'Tokens of the prompt, and those whose attention state was kept from before';
    words.push({ name: 'prompt', value: `${count(promptTokens)}${cached}`, title });
  }
  words.push({ name: 'answer', value: count(completionTokens), title: 'Tokens generated' });
  if (finishReason === 'length') {
    words.push({ name: 'ended', value: 'at the token limit', title: 'max_tokens or the context was reached' });
  }
  return words;
}
