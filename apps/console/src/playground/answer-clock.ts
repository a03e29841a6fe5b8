import type { ChatEvent } from '../api/chat-events.js';

/** What one answer took, as the person who asked saw it. */
export interface AnswerFigures {
  /** From sending the request to the first token, in milliseconds. */
  readonly ttftMs?: number;
  /** Of all tokens but the first; absent for fewer than two. */
  readonly tokensPerSecond?: number;
  readonly promptTokens?: number;
  /** Those of the prompt whose attention state came from a cache; told at the end alone. */
  readonly cachedTokens?: number;
  readonly completionTokens: number;
  readonly finishReason?: string;
}

/** Times and counts one answer. Times are milliseconds of any one clock. */
export class AnswerClock {
  private firstTokenAtMs: number | undefined;
  private lastTokenAtMs = 0;
  private told: AnswerFigures = { completionTokens: 0 };

  constructor(private readonly sentAtMs: number) {}

  saw(event: ChatEvent, atMs: number): void {
    switch (event.kind) {
      case 'prompt':
        this.told = { ...this.told, promptTokens: event.promptTokens };
        break;
      case 'text':
        this.sawTokens(event.tokens, atMs);
        break;
      case 'finish':
        this.sawTokens(event.tokens, atMs);
        this.told = { ...this.told, finishReason: event.reason };
        break;
      case 'usage': {
        const { prompt_tokens, completion_tokens, prompt_tokens_details } = event.usage;
        const cachedTokens = prompt_tokens_details?.cached_tokens ?? 0;
        this.told = {
          ...this.told,
          promptTokens: prompt_tokens,
          completionTokens: completion_tokens,
          cachedTokens,
        };
        break;
      }
      default:
        event satisfies never;
    }
  }

  figures(): AnswerFigures {
    const { firstTokenAtMs, told } = this;
    if (firstTokenAtMs === undefined) return told;
    const streamedMs = this.lastTokenAtMs - firstTokenAtMs;
    const furtherTokens = told.completionTokens - 1;
    return {
      ...told,
      ttftMs: firstTokenAtMs - this.sentAtMs,
      tokensPerSecond: furtherTokens > 0 && streamedMs > 0 ? (furtherTokens * 1_000) / streamedMs : undefined,
    };
  }

  private sawTokens(tokens: number, atMs: number): void {
    if (tokens === 0) return;
    this.firstTokenAtMs ??= atMs;
    this.lastTokenAtMs = atMs;
    this.told = { ...this.told, completionTokens: this.told.completionTokens + tokens };
  }
}
