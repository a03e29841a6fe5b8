import { stepTokensOf } from '../capacity.js';
import type { PlacementRequest } from '../placement-request.js';
import { type PrefillOrder, prefillUrgency } from '../prefill-order.js';
import type { WorkerView } from '../worker-view.js';
import { pairsOf } from './attention-pairs.js';
import type { FetchOption } from './block-sources.js';
import { urgencyOf } from './pending-prompt.js';
import type { WorkerMirror } from './worker-mirror.js';

export interface ForecastQuestion {
  readonly promptTokens: number;
  /** Of them, those that need not be computed. */
  readonly cachedTokens: number;
  /** Tokens one step may carry. */
  readonly stepTokenBudget: number;
  readonly order: PrefillOrder;
  readonly nowMs: number;
}

/** When a worker would have the first token of a prompt, in milliseconds from now, term by term. */
export interface TtftForecast {
  /** Rest of the step that runs. */
  readonly stepMs: number;
  /** Prompts that are computed before. */
  readonly queueMs: number;
  /** This prompt, but for what is cached. */
  readonly prefillMs: number;
  /** Time that this prompt takes from everybody else on the worker. */
  readonly workMs: number;
  /** Prompts that wait longer because of this one. */
  readonly delayedPrompts: number;
  readonly ttftMs: number;
}

/**
 * Predicts the time to first token of a prompt on a worker: the rest of the step that runs now, the prompts ahead of it, its own.
 * Prompts are computed in chunks that fill each step's token budget beside the decoding sequences, so tokens ahead and own
 * ones add up to whole steps. Prompts that come later are not foreseen.
 */
export function forecastTtft(mirror: WorkerMirror, question: ForecastQuestion): TtftForecast {
  const { promptTokens, cachedTokens, nowMs } = question;
  const ownTokens = Math.max(1, promptTokens - cachedTokens);
  const ownPairs = pairsOf(promptTokens, ownTokens);
  const budget = Math.max(1, question.stepTokenBudget - mirror.decodingSequences);
  let aheadTokens = 0;
  let aheadPairs = 0;
  let aheadCount = 0;
  let aheadContext = 0;
  let delayedPrompts = 0;
  const urgency = prefillUrgency(ownTokens, 0);
  for (const prompt of mirror.pending) {
    if (question.order === 'srpt' && urgencyOf(prompt, nowMs) < urgency) {
      delayedPrompts++;
      continue;
    }
    aheadTokens += prompt.remainingTokens;
    aheadPairs += pairsOf(prompt.promptTokens, prompt.remainingTokens);
    aheadCount++;
    aheadContext += prompt.promptTokens;
  }
  // Prompts ahead decode when their turn is over: on average half of them do while the others are computed.
  const decodingSequences = mirror.decodingSequences + aheadCount / 2;
  const contextTokens = mirror.contextTokens + aheadContext / 2;
  const { stepTime } = mirror;
  const baseMs = stepTime.msOf(0, decodingSequences, contextTokens, 0);
  const emptyMs = stepTime.msOf(0, 0, 0, 0);
  const aheadMs = stepTime.msOf(aheadTokens, 0, 0, aheadPairs) - emptyMs;
  const ownMs = stepTime.msOf(ownTokens, 0, 0, ownPairs) - emptyMs;
  const steps = Math.ceil((aheadTokens + ownTokens) / budget);
  const stepsAhead = Math.floor(aheadTokens / budget);
  const stepMs = mirror.restOfStepMs(nowMs);
  const queueMs = stepsAhead * baseMs + aheadMs;
  const prefillMs = (steps - stepsAhead) * baseMs + ownMs;
  const workMs = (ownTokens / budget) * baseMs + ownMs;
  return { stepMs, queueMs, prefillMs, workMs, delayedPrompts, ttftMs: stepMs + queueMs + prefillMs };
}

/** The same with blocks that are fetched: while they are on their way, prompts ahead are computed. */
export function forecastFetching(
  worker: WorkerView,
  request: PlacementRequest,
  { tokens, fetchMs }: FetchOption,
  nowMs: number,
): TtftForecast {
  const { stepMs, queueMs, prefillMs, workMs, delayedPrompts } = forecastOn(worker, request, tokens, nowMs);
  const ttftMs = Math.max(stepMs + queueMs, fetchMs) + prefillMs;
  return { stepMs, queueMs, prefillMs, workMs, delayedPrompts, ttftMs };
}

/** The same of a request, on a worker as the scheduler sees it. */
export function forecastOn(
  { mirror, model, prefillOrder: order }: WorkerView,
  { promptTokens }: PlacementRequest,
  cachedTokens: number,
  nowMs: number,
): TtftForecast {
  return forecastTtft(mirror, { promptTokens, cachedTokens, stepTokenBudget: stepTokensOf(model), order, nowMs });
}
