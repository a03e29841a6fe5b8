import { FailureCode, type GenerationRequest, type ServedModel } from '#lib/contracts';
import { InvalidStopStringsError, StopStrings } from '#lib/tokens';
import type { LoadedAdapter } from '../adapters/adapter-set.js';
import type { EngineRefusal } from '../engine.js';
import type { CheckedRequest } from './generation.js';

/** Most sequences of one request: each is a slot, a text and a row of its own. */
export const MAX_SEQUENCES = 128;
/** Most tokens a request may be ahead of its reader; bounds what a slow reader costs. */
const MAX_CREDIT = 1_000_000;

/** Most candidates listed per token. */
const MAX_TOP_LOGPROBS = 20;
/** Most log-probabilities of prompts that one request is told: they stay in memory, and travel, as one. */
const MAX_PROMPT_LOGPROBS = 131_072;

/** Public names of what this engine does not do yet. */
export const UNSUPPORTED_PARAMETERS: readonly string[] = [];

export interface RequestLimits {
  /** The adapter of that name, if it is loaded. */
  readonly findAdapter: (adapterId: string) => LoadedAdapter | undefined;
  readonly model: Pick<ServedModel, 'modelId' | 'vocabularySize'>;
  /** Most tokens of one sequence. */
  readonly contextTokens: number;
}

/** Why a request can never run here, or the request with what it must have. */
export function checkRequest(request: GenerationRequest, limits: RequestLimits): EngineRefusal | CheckedRequest {
  const { modelId, vocabularySize } = limits.model;
  if (request.modelId !== modelId) {
    return refused(FailureCode.UNKNOWN_MODEL, `This worker serves "${modelId}", not "${request.modelId}".`, 'model');
  }
  const adapter = request.adapterId === '' ? undefined : limits.findAdapter(request.adapterId);
  if (request.adapterId !== '' && adapter === undefined) {
    return refused(FailureCode.UNKNOWN_MODEL, `The adapter "${request.adapterId}" is not loaded here.`, 'model');
  }
  const { sampling, stop } = request;
  if (sampling === undefined) return invalid('sampling', 'The sampling parameters are missing.');
  if (stop === undefined) return invalid('stop', 'The stop conditions are missing.');
  const checked: CheckedRequest = { ...request, sampling, stop, adapter };
  return checkReports(checked) ?? checkRanges(checked) ?? checkTokens(checked, limits, vocabularySize) ?? checked;
}

function checkReports({ sampling, echoPrompt, ...request }: CheckedRequest): EngineRefusal | undefined {
  if (echoPrompt) return invalid('echo', 'The prompt is echoed by the gateway, which has its text.');
  const { topLogprobs, reportPromptLogprobs } = sampling;
  if (topLogprobs > MAX_TOP_LOGPROBS) return invalid('top_logprobs', `It must be at most ${MAX_TOP_LOGPROBS}.`);
  if (!reportPromptLogprobs) return undefined;
  const told = request.promptTokenIds.length * request.sequenceCount * (1 + topLogprobs);
  if (told <= MAX_PROMPT_LOGPROBS) return undefined;
  const message = `It asks for ${told} log-probabilities of the prompt; at most ${MAX_PROMPT_LOGPROBS} are told.`;
  return invalid('prompt_logprobs', message);
}

function checkRanges({ sampling, stop, sequenceCount, initialCredit }: CheckedRequest): EngineRefusal | undefined {
  const { temperature, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty, seed } = sampling;
  if (!(temperature >= 0 && temperature <= 100)) return invalid('temperature', 'It must be from 0 to 100.');
  if (!(topP > 0 && topP <= 1)) return invalid('top_p', 'It must be above 0 and at most 1.');
  if (!(minP >= 0 && minP <= 1)) return invalid('min_p', 'It must be from 0 to 1.');
  if (!(repetitionPenalty > 0 && repetitionPenalty < Infinity)) {
    return invalid('repetition_penalty', 'It must be above 0.');
  }
  if (!Number.isFinite(presencePenalty)) return invalid('presence_penalty', 'It must be a number.');
  if (!Number.isFinite(frequencyPenalty)) return invalid('frequency_penalty', 'It must be a number.');
  if (!Number.isSafeInteger(seed) || seed < 0) return invalid('seed', 'It must be from 0 to 2^53 - 1.');
  if (!(sequenceCount >= 1 && sequenceCount <= MAX_SEQUENCES)) {
    return invalid('n', `It must be from 1 to ${MAX_SEQUENCES}.`);
  }
  if (!(initialCredit >= 1 && initialCredit <= MAX_CREDIT)) {
    return invalid('initial_credit', `It must be from 1 to ${MAX_CREDIT}.`);
  }
  if (!(stop.maxTokens >= 1)) return invalid('max_tokens', 'It must be at least 1.');
  if (stop.minTokens > stop.maxTokens) return invalid('min_tokens', 'It must not be above max_tokens.');
  try {
    new StopStrings(stop.stopStrings);
  } catch (error) {
    if (error instanceof InvalidStopStringsError) return invalid('stop', error.message);
    throw error;
  }
  return undefined;
}

function checkTokens(
  { promptTokenIds, acceptedTokenIds, sequenceCount, sampling, stop }: CheckedRequest,
  { contextTokens }: RequestLimits,
  vocabularySize: number,
): EngineRefusal | undefined {
  const isUnknown = (id: number) => !(id >= 0 && id < vocabularySize);
  if (promptTokenIds.length === 0) return invalid('prompt', 'It must have at least one token.');
  if (promptTokenIds.length + acceptedTokenIds.length >= contextTokens) {
    return invalid(
      'prompt',
      `It has ${promptTokenIds.length + acceptedTokenIds.length} tokens; with one token of output at most ${contextTokens} fit.`,
    );
  }
  const unknown = promptTokenIds.find(isUnknown) ?? acceptedTokenIds.find(isUnknown);
  if (unknown !== undefined) return invalid('prompt', `The vocabulary has no token ${unknown}.`);
  if (acceptedTokenIds.length > 0 && sequenceCount > 1) {
    return invalid('n', 'Only a request for one sequence can go on from accepted tokens.');
  }
  if (acceptedTokenIds.length >= stop.maxTokens) {
    return invalid('max_tokens', 'All its tokens were generated by the earlier attempt.');
  }
  const biased = Object.keys(sampling.logitBias).map(Number).find(isUnknown);
  if (biased !== undefined) return invalid('logit_bias', `The vocabulary has no token ${biased}.`);
  return undefined;
}

function invalid(parameter: string, message: string): EngineRefusal {
  return refused(FailureCode.INVALID_REQUEST, message, parameter);
}

export function refused(code: FailureCode, message: string, parameter?: string): EngineRefusal {
  return { kind: 'refused', code, message, parameter };
}
