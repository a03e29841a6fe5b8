import type { AnswerDelta, AnswerUsage } from './answer.js';

/**
 * Turns the deltas of one answer into server-sent events. It keeps no text: what is returned is to be written, in order.
 * A stream that breaks off ends with `sseError` instead of `end`.
 */
export interface AnswerStream {
  /** Events for what became new in one choice; empty when there is nothing to tell yet. */
  delta(delta: AnswerDelta): string;
  /** The usage event, when asked for, and `[DONE]`. */
  end(usage: AnswerUsage): string;
}

export interface AnswerStreamOptions {
  readonly includeUsage: boolean;
  /** With `includeUsage`: every event tells the usage so far. */
  readonly continuousUsage: boolean;
  readonly returnTokenIds: boolean;
  /** Token ids of each prompt. */
  readonly promptTokenIds: readonly (readonly number[])[];
  readonly choicesPerPrompt: number;
}
