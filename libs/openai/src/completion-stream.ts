import { type AnswerDelta, type AnswerHead, type AnswerUsage, usageBody } from './answer.js';
import type { AnswerStream, AnswerStreamOptions } from './answer-stream.js';
import { completionLogprobs } from './logprobs.js';
import { RunningUsage } from './running-usage.js';
import { jsonString, jsonText, SSE_DONE } from './sse.js';

/**
 * Events of `POST /v1/completions`. What is the same in every event of the request is rendered once; an event is then a
 * few joined strings: 0.2 µs (measured 2026-11-25), against about 5 µs for `JSON.stringify` of the whole.
 */
export class CompletionStream implements AnswerStream {
  readonly #opening: string;
  readonly #usage: RunningUsage;
  /** Choices whose prompt ids have been told. */
  readonly #begun = new Set<number>();

  constructor(
    head: AnswerHead,
    private readonly options: AnswerStreamOptions,
  ) {
    this.#opening = `data: ${chunkOpening(head, 'text_completion')}`;
    this.#usage = new RunningUsage(options);
  }

  delta(delta: AnswerDelta): string {
    const { choiceIndex, text, finish } = delta;
    this.#usage.count(delta.tokenIds.length);
    const isSilent = text === '' && finish === undefined && delta.logprobs === undefined;
    if (isSilent && !this.options.returnTokenIds) return '';
    const ids = this.options.returnTokenIds ? this.#tokenIds(delta) : '';
    const logprobs = delta.logprobs === undefined ? 'null' : jsonText(completionLogprobs(delta.logprobs));
    const ending = finish === undefined ? RUNNING : `"finish_reason":"${finish}","stop_reason":${stopReason(delta)}`;
    return `${this.#opening}{"index":${choiceIndex},"text":${jsonString(text)},"logprobs":${logprobs},${ending}${ids}}]${this.#usage.text}}\n\n`;
  }

  end(usage: AnswerUsage): string {
    if (!this.options.includeUsage) return SSE_DONE;
    return `${this.#opening}],"usage":${JSON.stringify(usageBody(usage))}}\n\n${SSE_DONE}`;
  }

  /** vLLM's form: the prompt's ids with the choice's first event, null afterwards. */
  #tokenIds({ choiceIndex, tokenIds }: AnswerDelta): string {
    let prompt = 'null';
    if (!this.#begun.has(choiceIndex)) {
      this.#begun.add(choiceIndex);
      prompt = idList(this.options.promptTokenIds[Math.floor(choiceIndex / this.options.choicesPerPrompt)] ?? []);
    }
    return `,"token_ids":${idList(tokenIds)},"prompt_token_ids":${prompt}`;
  }
}

const RUNNING = '"finish_reason":null,"stop_reason":null';

/** All that comes before the first choice. */
export function chunkOpening(head: AnswerHead, object: string): string {
  const { id, created, model, systemFingerprint } = head;
  return `{"id":${jsonString(id)},"object":"${object}","created":${created},"model":${jsonString(model)},"system_fingerprint":${jsonString(systemFingerprint)},"choices":[`;
}

export function stopReason({ stopReason: reason }: AnswerDelta): string {
  if (reason === undefined) return 'null';
  return typeof reason === 'number' ? String(reason) : jsonString(reason);
}

export function idList(tokenIds: readonly number[]): string {
  return `[${tokenIds.join(',')}]`;
}
