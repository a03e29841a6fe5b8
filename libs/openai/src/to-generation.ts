import type { GenerationRequest, TraceContext } from '#lib/contracts';
import { type CompletionCall, promptParam } from './call.js';
import { ApiError } from './errors.js';
import { assertModelSupports } from './features.js';
import { assertCaps, maxTokensParam, type RequestCaps } from './request-caps.js';
import { invalidValue } from './validation-error.js';

/** OpenAI's default for completions; chat gets what the context leaves. */
const COMPLETION_MAX_TOKENS = 16;

/** What a request must fit. From the worker's `ServedModel` and the model's generation defaults. */
export interface ModelFacts {
  /** Id under which workers serve it, aliases resolved. */
  readonly modelId: string;
  /** LoRA adapter on it; absent for the model alone. */
  readonly adapterId?: string | undefined;
  /** Most tokens of prompt and output together. */
  readonly contextTokens: number;
  readonly vocabularySize: number;
  /** What the client's role may ask for. */
  readonly caps: RequestCaps;
  /** Public names of what its workers refuse. */
  readonly unsupportedParameters: readonly string[];
  readonly samplingDefaults: SamplingDefaults;
}

/** Values for what a request does not give, as the model's workers say; absent means the public API's. */
export interface SamplingDefaults {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
}

/** An answer that is sent whole needs its tokens in no more than this many pieces of its credit. Chosen. */
const GATHERED_CREDIT = 4;

/** What the gateway knows of a request beside its body. */
export interface GenerationContext {
  readonly requestId: string;
  readonly tenantId: string;
  /** One id per prompt, 32 hexadecimal digits. */
  newGenerationId(): string;
  /** A random seed, 0 to 2^53 - 1. */
  drawSeed(): number;
  /** Milliseconds since the Unix epoch; 0 for none. */
  readonly deadlineUnixMs: number;
  /** Tokens per sequence that a worker may deliver before it needs credit. */
  readonly initialCredit: number;
  /** 0 to 32 bytes; keeps prefixes of tenants apart. Passed on as it is: what is computed from it is kept by it. */
  readonly cacheSalt: Buffer;
  readonly trace?: TraceContext;
}

/**
 * One generation per prompt. Lease, epoch and KV sources are left empty: they come with the placement.
 * @param prompts  token ids of each prompt, in the order of the call's prompts; chat has one
 * @throws ApiError context_length_exceeded, unsupported_parameter or invalid_value
 */
export function toGenerationRequests(
  call: CompletionCall,
  model: ModelFacts,
  prompts: readonly (readonly number[])[],
  context: GenerationContext,
): GenerationRequest[] {
  assertModelSupports(call, model.unsupportedParameters);
  assertVocabulary(call, model.vocabularySize);
  assertCaps(call, model.caps);
  const maxTokens = prompts.map((prompt, index) => fittingMaxTokens(call, model, prompt.length, index));
  return prompts.map((prompt, index) => ({
    generationId: context.newGenerationId(),
    requestId: context.requestId,
    tenantId: context.tenantId,
    modelId: model.modelId,
    adapterId: model.adapterId ?? '',
    promptTokenIds: prompt as number[], // the generated type is mutable; nobody writes to it
    acceptedTokenIds: [],
    sampling: samplingOf(call, model.samplingDefaults, context.drawSeed),
    stop: {
      maxTokens: maxTokens[index]!, // one per prompt
      minTokens: call.stop.minTokens,
      stopStrings: [...call.stop.stopStrings],
      stopTokenIds: [...call.stop.stopTokenIds],
      ignoreEos: call.stop.ignoreEos,
      includeStopString: false,
    },
    sequenceCount: call.choicesPerPrompt,
    deadlineUnixMs: context.deadlineUnixMs,
    initialCredit: context.initialCredit,
    priority: call.priority,
    cacheSalt: context.cacheSalt,
    kvSources: [],
    earlierUses: [],
    trace: context.trace,
    leaseId: '',
    workerEpoch: 0,
    leaseTerm: 0,
    echoPrompt: false, // PromptAnswer does it: it has the text as the client wrote it
    gatherTokens: call.stream ? 0 : Math.floor(context.initialCredit / GATHERED_CREDIT),
  }));
}

function samplingOf(
  { sampling: asked, logprobs: { top, promptTop }, echo }: CompletionCall,
  model: SamplingDefaults,
  drawSeed: () => number,
) {
  return {
    temperature: asked.temperature ?? model.temperature ?? 1,
    topP: asked.topP ?? model.topP ?? 1,
    topK: asked.topK ?? model.topK ?? 0,
    minP: asked.minP ?? model.minP ?? 0,
    repetitionPenalty: asked.repetitionPenalty ?? model.repetitionPenalty ?? 1,
    presencePenalty: asked.presencePenalty ?? 0,
    frequencyPenalty: asked.frequencyPenalty ?? 0,
    logitBias: asked.logitBias as { [tokenId: number]: number }, // the generated type is mutable; nobody writes to it
    seed: asked.seed ?? drawSeed(),
    topLogprobs: Math.max(top ?? 0, promptTop ?? 0),
    reportLogprobs: top !== undefined,
    reportPromptLogprobs: promptTop !== undefined || (echo && top !== undefined),
  };
}

/** What may be generated: as asked, else the route's default cut to what context and cap leave. */
function fittingMaxTokens(
  call: CompletionCall,
  { contextTokens, caps: { maxTokens: cap = Infinity } }: ModelFacts,
  promptTokens: number,
  index: number,
): number {
  const asked = call.stop.maxTokens;
  const param = promptParam(call, index);
  if (promptTokens === 0) throw invalidValue(param, 'the prompt has no tokens');
  const room = contextTokens - promptTokens;
  const least = asked ?? Math.max(1, call.stop.minTokens);
  if (least > room)
    throw contextExceeded(call, contextTokens, promptTokens, asked, room > 0 ? maxTokensParam(call) : param);
  if (asked !== undefined) return asked;
  const wanted = call.kind === 'chat' ? room : Math.max(COMPLETION_MAX_TOKENS, call.stop.minTokens);
  return Math.min(room, wanted, cap);
}

function contextExceeded(
  call: CompletionCall,
  contextTokens: number,
  promptTokens: number,
  asked: number | undefined,
  param: string,
): ApiError {
  const input = call.kind === 'chat' ? 'messages' : 'prompt';
  const figures =
    asked === undefined
      ? `your ${input} resulted in ${promptTokens} tokens`
      : `you requested ${promptTokens + asked} tokens (${promptTokens} in the ${input}, ${asked} in the completion)`;
  const advice = param === input || asked === undefined ? input : `${input} or completion`;
  const message = `This model's maximum context length is ${contextTokens} tokens. However, ${figures}. Please reduce the length of the ${advice}.`;
  return new ApiError('context_length_exceeded', message, { param });
}

/** Ids the client chose; what the tokenizer made is not looked at. */
function assertVocabulary(call: CompletionCall, vocabularySize: number): void {
  for (const prompt of call.input.kind === 'prompts' ? call.input.prompts : []) {
    if (prompt.kind === 'token-ids') assertIds(prompt.tokenIds, vocabularySize, prompt.param);
  }
  assertIds(call.stop.stopTokenIds, vocabularySize, 'stop_token_ids');
  for (const id of Object.keys(call.sampling.logitBias)) {
    if (Number(id) >= vocabularySize) throw outsideVocabulary('logit_bias', id, vocabularySize);
  }
}

function assertIds(tokenIds: readonly number[], vocabularySize: number, param: string): void {
  const stranger = tokenIds.findIndex((id) => id >= vocabularySize);
  if (stranger !== -1) throw outsideVocabulary(`${param}[${stranger}]`, tokenIds[stranger], vocabularySize);
}

function outsideVocabulary(param: string, id: number | string | undefined, vocabularySize: number): ApiError {
  return invalidValue(param, `token id ${id} is outside the model's vocabulary of ${vocabularySize} tokens`);
}
