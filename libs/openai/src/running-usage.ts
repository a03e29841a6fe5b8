import type { AnswerStreamOptions } from './answer-stream.js';

/**
 * The `usage` of all events before the last: none, null with `include_usage`, and with `continuous_usage_stats`, as in
 * vLLM, the tokens of all prompts and of what has been delivered so far. What came from a cache only the last event tells.
 */
export class RunningUsage {
  /** A member of the event's object with its comma in front, or nothing. */
  text: string;
  readonly #promptTokens: number | undefined;
  #completionTokens = 0;

  constructor({ includeUsage, continuousUsage, promptTokenIds }: AnswerStreamOptions) {
    this.text = includeUsage ? ',"usage":null' : '';
    if (!includeUsage || !continuousUsage) return;
    this.#promptTokens = promptTokenIds.reduce((sum, ids) => sum + ids.length, 0);
    this.count(0);
  }

  /** @param tokens  that the next event delivers */
  count(tokens: number): void {
    if (this.#promptTokens === undefined) return;
    this.#completionTokens += tokens;
    const total = this.#promptTokens + this.#completionTokens;
    this.text = `,"usage":{"prompt_tokens":${this.#promptTokens},"completion_tokens":${this.#completionTokens},"total_tokens":${total}}`;
  }
}
