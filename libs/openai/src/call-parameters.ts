import type { z } from 'zod';
import type { CompletionCall, RequestedSampling, RequestedStop, RequestLimits } from './call.js';
import { shortened } from './errors.js';
import type { sharedFields } from './request-fields.js';
import { invalidValue } from './validation-error.js';

/** The fields both requests have, after validation. */
export type SharedRequest = { [Name in keyof typeof sharedFields]?: z.infer<(typeof sharedFields)[Name]> } & {
  model: string;
};

/** Names of unknown fields that are kept: enough to see what clients send, too few to be a burden. */
const MAX_UNKNOWN_FIELDS = 16;

/** The part of a call that completions and chat translate alike. */
export function toCallParameters(request: SharedRequest, maxTokens: number | undefined) {
  const stream = request.stream ?? false;
  assertStreamOptions(request, stream);
  return {
    model: request.model.toWellFormed(),
    sampling: toSampling(request),
    stop: toStop(request, maxTokens),
    choicesPerPrompt: request.n ?? 1,
    stream,
    includeUsage: request.stream_options?.include_usage ?? false,
    continuousUsage: request.stream_options?.continuous_usage_stats ?? false,
    returnTokenIds: request.return_token_ids ?? false,
    logprobs: { top: undefined, promptTop: toPromptLogprobs(request, stream) },
    echo: false,
    sessionId: (request.session_id ?? request.prompt_cache_key ?? '').toWellFormed() || undefined,
    user: (request.user ?? request.safety_identifier ?? '').toWellFormed() || undefined,
    cacheSalt: request.cache_salt?.toWellFormed(),
    priority: request.priority ?? 0,
    timeoutMs: request.timeout_ms ?? undefined,
  } satisfies Partial<CompletionCall>;
}

/** Fields of the body that no schema names. */
export function unknownFields(body: object, known: ReadonlySet<string>): string[] {
  const unknown: string[] = [];
  for (const name of Object.keys(body)) {
    if (known.has(name)) continue;
    unknown.push(shortened(name));
    if (unknown.length === MAX_UNKNOWN_FIELDS) break;
  }
  return unknown;
}

/** @param prompts  prompts of the request; chat has one */
export function assertChoices(prompts: number, choicesPerPrompt: number, limits: RequestLimits): void {
  if (choicesPerPrompt > limits.maxChoices) {
    throw invalidValue('n', `expected a value <= ${limits.maxChoices}, but got ${choicesPerPrompt}`);
  }
  if (prompts * choicesPerPrompt > limits.maxChoices) {
    throw invalidValue(
      'prompt',
      `expected prompts × n <= ${limits.maxChoices}, but got ${prompts} × ${choicesPerPrompt}`,
    );
  }
}

function toSampling(request: SharedRequest): RequestedSampling {
  return {
    temperature: request.temperature ?? undefined,
    topP: request.top_p ?? undefined,
    topK: request.top_k === -1 ? 0 : (request.top_k ?? undefined),
    minP: request.min_p ?? undefined,
    repetitionPenalty: request.repetition_penalty ?? undefined,
    presencePenalty: request.presence_penalty ?? undefined,
    frequencyPenalty: request.frequency_penalty ?? undefined,
    logitBias: toLogitBias(request.logit_bias),
    seed: request.seed === null || request.seed === undefined ? undefined : toSeed(request.seed),
  };
}

/** Keys are decimal token ids; `"007"` and `"7"` are the same id, the last one counts. */
function toLogitBias(biases: Readonly<Record<string, number>> | null | undefined): Record<number, number> {
  if (!biases) return {};
  return Object.fromEntries(Object.entries(biases).map(([id, bias]) => [Number(id), bias]));
}

/** Any safe integer is a seed; negative ones are taken modulo 2^53, so that they fit the generator's unsigned form. */
function toSeed(seed: number): number {
  return seed >= 0 ? seed : seed + 2 ** 53;
}

function toStop(request: SharedRequest, maxTokens: number | undefined): RequestedStop {
  const minTokens = request.min_tokens ?? 0;
  if (maxTokens !== undefined && minTokens > maxTokens) {
    throw invalidValue('min_tokens', `expected a value <= max_tokens (${maxTokens}), but got ${minTokens}`);
  }
  const stop = request.stop ?? [];
  return {
    maxTokens,
    minTokens,
    stopStrings: (typeof stop === 'string' ? [stop] : stop).map((text) => text.toWellFormed()),
    stopTokenIds: request.stop_token_ids ?? [],
    ignoreEos: request.ignore_eos ?? false,
  };
}

function toPromptLogprobs(request: SharedRequest, stream: boolean): number | undefined {
  const count = request.prompt_logprobs ?? undefined;
  if (count !== undefined && stream) throw invalidValue('prompt_logprobs', "it is only allowed without 'stream'");
  return count;
}

function assertStreamOptions(request: SharedRequest, stream: boolean): void {
  if (request.stream_options && !stream) {
    throw invalidValue('stream_options', "it is only allowed when 'stream' is true");
  }
}
