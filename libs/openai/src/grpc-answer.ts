import type { publicApi } from '#lib/contracts';
import type { AnswerDelta, AnswerHead, AnswerUsage } from './answer.js';
import type { WholeAnswer, WholeChoice } from './answer-body.js';
import type { AnswerStreamOptions } from './answer-stream.js';
import { grpcLogprobs } from './logprobs.js';

/** Messages of `StreamComplete`: what several choices got in one step can travel in one message. */
export class GrpcCompletionStream {
  readonly #begun = new Set<number>();

  constructor(
    private readonly head: AnswerHead,
    private readonly options: AnswerStreamOptions,
  ) {}

  /** Undefined when there is nothing to tell yet. */
  deltas(deltas: readonly AnswerDelta[]): publicApi.CompletionChunk | undefined {
    const choices = deltas
      .filter((delta) => hasNews(delta, this.options))
      .map((delta) => ({
        index: delta.choiceIndex,
        text: delta.text,
        finishReason: delta.finish ?? '',
        tokenIds: idsOf(delta, this.options),
        promptTokenIds: this.#promptIds(delta.choiceIndex),
        logprobs: grpcLogprobs(delta.logprobs ?? []),
        stopReason: String(delta.stopReason ?? ''),
      }));
    return choices.length === 0 ? undefined : { ...messageHead(this.head), choices, usage: undefined };
  }

  end(usage: AnswerUsage): publicApi.CompletionChunk {
    return { ...messageHead(this.head), choices: [], usage: usageMessage(usage) };
  }

  #promptIds(choiceIndex: number): number[] {
    if (!this.options.returnTokenIds || this.#begun.has(choiceIndex)) return [];
    this.#begun.add(choiceIndex);
    return [...(this.options.promptTokenIds[Math.floor(choiceIndex / this.options.choicesPerPrompt)] ?? [])];
  }
}

/** Messages of `StreamChat`. */
export class GrpcChatStream {
  readonly #begun = new Set<number>();

  constructor(
    private readonly head: AnswerHead,
    private readonly options: AnswerStreamOptions,
  ) {}

  /** Undefined when there is nothing to tell yet. */
  deltas(deltas: readonly AnswerDelta[]): publicApi.ChatChunk | undefined {
    const told = deltas.filter((delta) => hasNews(delta, this.options) || !this.#begun.has(delta.choiceIndex));
    if (told.length === 0) return undefined;
    const tellsPrompt = this.options.returnTokenIds && this.#begun.size === 0;
    const choices = told.map((delta) => ({
      index: delta.choiceIndex,
      role: this.#role(delta.choiceIndex),
      content: delta.text,
      finishReason: delta.finish ?? '',
      tokenIds: idsOf(delta, this.options),
      logprobs: grpcLogprobs(delta.logprobs ?? []),
      stopReason: String(delta.stopReason ?? ''),
    }));
    const promptTokenIds = tellsPrompt ? [...(this.options.promptTokenIds[0] ?? [])] : [];
    return { ...messageHead(this.head), choices, usage: undefined, promptTokenIds };
  }

  end(usage: AnswerUsage): publicApi.ChatChunk {
    return { ...messageHead(this.head), choices: [], usage: usageMessage(usage), promptTokenIds: [] };
  }

  #role(choiceIndex: number): string {
    if (this.#begun.has(choiceIndex)) return '';
    this.#begun.add(choiceIndex);
    return 'assistant';
  }
}

export function toGrpcCompletionResponse(head: AnswerHead, answer: WholeAnswer): publicApi.CompletionResponse {
  const choices = answer.choices.map((choice, index) => ({
    index,
    text: choice.text,
    ...wholeChoice(choice),
    promptTokenIds: answer.returnTokenIds
      ? [...(answer.promptTokenIds[Math.floor(index / answer.choicesPerPrompt)] ?? [])]
      : [],
  }));
  return { ...messageHead(head), choices, usage: usageMessage(answer.usage) };
}

export function toGrpcChatResponse(head: AnswerHead, answer: WholeAnswer): publicApi.ChatResponse {
  const choices = answer.choices.map((choice, index) => ({
    index,
    message: { role: 'assistant', content: choice.text, name: '' },
    ...wholeChoice(choice),
  }));
  const promptTokenIds = answer.returnTokenIds ? [...(answer.promptTokenIds[0] ?? [])] : [];
  return { ...messageHead(head), choices, usage: usageMessage(answer.usage), promptTokenIds };
}

function wholeChoice(choice: WholeChoice) {
  return {
    finishReason: choice.finish ?? '',
    tokenIds: [...choice.tokenIds],
    logprobs: grpcLogprobs(choice.logprobs ?? []),
    stopReason: String(choice.stopReason ?? ''),
  };
}

function hasNews(delta: AnswerDelta, options: AnswerStreamOptions): boolean {
  return delta.text !== '' || delta.finish !== undefined || delta.logprobs !== undefined || options.returnTokenIds;
}

function idsOf(delta: AnswerDelta, options: AnswerStreamOptions): number[] {
  return options.returnTokenIds ? [...delta.tokenIds] : [];
}

function messageHead({ id, created, model }: AnswerHead) {
  return { id, created, model };
}

function usageMessage(usage: AnswerUsage): publicApi.Usage {
  return { ...usage, totalTokens: usage.promptTokens + usage.completionTokens };
}
