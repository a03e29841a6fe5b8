import { FinishReason, type FrameEntry, type GenerationUsage } from '#lib/contracts';
import type { CallKind, RequestedStop } from './call.js';
import type { PositionCandidates } from './logprobs.js';

/** What every part of one answer says of itself. */
export interface AnswerHead {
  readonly kind: CallKind;
  /** `cmpl-…` or `chatcmpl-…`. */
  readonly id: string;
  /** Seconds since the Unix epoch. */
  readonly created: number;
  /** The model as the client asked for it. */
  readonly model: string;
  readonly systemFingerprint: string;
}

export type FinishWord = 'stop' | 'length';

/** What became new in one choice. */
export interface AnswerDelta {
  /** prompt index × n + sequence index. */
  readonly choiceIndex: number;
  readonly text: string;
  readonly tokenIds: readonly number[];
  /** Set when asked for: one for each token, those of an echoed prompt before them. */
  readonly logprobs?: readonly PositionCandidates[];
  /** Of the prompt, with a choice's first delta, when asked for. */
  readonly promptLogprobs?: readonly PositionCandidates[];
  /** Set with the choice's last delta. */
  readonly finish?: FinishWord;
  /** The stop string or stop token id that ended it. */
  readonly stopReason?: string | number;
}

/** Tokens of the whole answer, over all prompts and choices. */
export interface AnswerUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Tokens of the prompts that came from a prefix cache. */
  readonly cachedTokens: number;
}

export function answerHead(
  kind: CallKind,
  generationId: string,
  model: string,
  modelFingerprint: string,
  created: number,
): AnswerHead {
  return {
    kind,
    id: `${kind === 'chat' ? 'chatcmpl' : 'cmpl'}-${generationId}`,
    created,
    model,
    systemFingerprint: `fp_${modelFingerprint.slice(0, 12)}`,
  };
}

/**
 * One frame entry of prompt `promptIndex` as a delta of the answer.
 * @param sequenceCount  sequences per prompt (`n`)
 * @param stop  tells a stop string `"13"` from the stop token 13: the worker reports both as text
 */
export function toAnswerDelta(
  entry: FrameEntry,
  promptIndex: number,
  sequenceCount: number,
  stop: RequestedStop,
): AnswerDelta {
  return {
    choiceIndex: promptIndex * sequenceCount + entry.sequenceIndex,
    text: entry.text,
    tokenIds: entry.tokenIds,
    finish: toFinishWord(entry.finishReason),
    stopReason: toStopReason(entry.stopMatch, stop),
  };
}

/** Undefined while the choice goes on, and when we cancelled it: then nobody reads the answer. */
export function toFinishWord(reason: FinishReason): FinishWord | undefined {
  switch (reason) {
    case FinishReason.STOP:
      return 'stop';
    case FinishReason.LENGTH:
      return 'length';
    default:
      return undefined;
  }
}

export function sumUsage(usages: readonly GenerationUsage[]): AnswerUsage {
  let [promptTokens, completionTokens, cachedTokens] = [0, 0, 0];
  for (const usage of usages) {
    promptTokens += usage.promptTokens;
    completionTokens += usage.completionTokens;
    cachedTokens += usage.cachedPromptTokens;
  }
  return { promptTokens, completionTokens, cachedTokens };
}

/** The `usage` object of bodies and chunks. */
export function usageBody(usage: AnswerUsage) {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
  };
}

/** The model's own end of sequence is no stop reason, as in vLLM: only what the request asked for is. */
function toStopReason(match: string, stop: RequestedStop): string | number | undefined {
  if (match === '') return undefined;
  if (stop.stopStrings.includes(match)) return match;
  return stop.stopTokenIds.find((id) => String(id) === match);
}
