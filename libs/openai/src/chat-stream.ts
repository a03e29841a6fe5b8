import { type AnswerDelta, type AnswerHead, type AnswerUsage, usageBody } from './answer.js';
import type { AnswerStream, AnswerStreamOptions } from './answer-stream.js';
import { chunkOpening, idList, stopReason } from './completion-stream.js';
import { chatLogprobs } from './logprobs.js';
import { RunningUsage } from './running-usage.js';
import { jsonString, jsonText, SSE_DONE } from './sse.js';

/**
 * Events of `POST /v1/chat/completions`: per choice one with the role, those with text, one with the finish reason. From a
 * template, as in CompletionStream.
 */
export class ChatStream implements AnswerStream {
  readonly #opening: string;
  readonly #usage: RunningUsage;
  /** Choices whose role has been told. */
  readonly #begun = new Set<number>();

  constructor(
    head: AnswerHead,
    private readonly options: AnswerStreamOptions,
  ) {
    this.#opening = `data: ${chunkOpening(head, 'chat.completion.chunk')}`;
    this.#usage = new RunningUsage(options);
  }

  delta(delta: AnswerDelta): string {
    const { choiceIndex, text, finish } = delta;
    let events = this.#begun.has(choiceIndex) ? '' : this.#role(choiceIndex);
    let tokenIds = delta.tokenIds;
    this.#usage.count(tokenIds.length);
    let logprobs = delta.logprobs === undefined ? 'null' : jsonText(chatLogprobs(delta.logprobs));
    const tellsTokens = this.options.returnTokenIds || delta.logprobs !== undefined;
    if (text !== '' || (finish === undefined && tellsTokens)) {
      events += this.#event(choiceIndex, `{"content":${jsonString(text)}}`, logprobs, 'null', this.#tokenIds(tokenIds));
      tokenIds = [];
      logprobs = 'null';
    }
    if (finish !== undefined) {
      const ending = `,"stop_reason":${stopReason(delta)}${this.#tokenIds(tokenIds)}`;
      events += this.#event(choiceIndex, '{}', logprobs, `"${finish}"`, ending);
    }
    return events;
  }

  end(usage: AnswerUsage): string {
    if (!this.options.includeUsage) return SSE_DONE;
    return `${this.#opening}],"usage":${JSON.stringify(usageBody(usage))}}\n\n${SSE_DONE}`;
  }

  /** vLLM's form: the prompt's ids at the top level of the answer's first event. */
  #role(choiceIndex: number): string {
    const tellsPrompt = this.options.returnTokenIds && this.#begun.size === 0;
    this.#begun.add(choiceIndex);
    const prompt = tellsPrompt ? `,"prompt_token_ids":${idList(this.options.promptTokenIds[0] ?? [])}` : '';
    return this.#event(choiceIndex, '{"role":"assistant","content":""}', 'null', 'null', '', prompt);
  }

  #event(
    choiceIndex: number,
    delta: string,
    logprobs: string,
    finish: string,
    choiceEnd: string,
    chunkEnd = '',
  ): string {
    return `${this.#opening}{"index":${choiceIndex},"delta":${delta},"logprobs":${logprobs},"finish_reason":${finish}${choiceEnd}}]${this.#usage.text}${chunkEnd}}\n\n`;
  }

  #tokenIds(tokenIds: readonly number[]): string {
    return this.options.returnTokenIds ? `,"token_ids":${idList(tokenIds)}` : '';
  }
}
