import { stepTokensOf } from '../capacity.js';
import type { PlacementRequest } from '../placement-request.js';
import { type PrefillOrder, prefillUrgency } from '../prefill-order.js';
import type { WorkerView } from '../worker-view.js';
import { pairsOf } from './attention-pairs.js';
import type { FetchOption } from './block-sources.js';
import { urgencyOf } from './pending-prompt.js';
import type { Backlog } from './pending-prompts.js';
import type { WorkerMirror } from './worker-mirror.js';

export interface ForecastedPrompt {
  readonly promptTokens: number;
  /** Tokens one step may carry. */
  readonly stepTokenBudget: number;
  readonly order: PrefillOrder;
  readonly nowMs: number;
}

/** When a worker would have the first token of a prompt, in milliseconds from now, term by term. */
export class TtftForecast {
  /** Rest of the step that runs. */
  stepMs = 0;
  /** Prompts that are computed before. */
  queueMs = 0;
  /** This prompt, but for what is cached. */
  prefillMs = 0;
  /** Time that this prompt takes from everybody else on the worker. */
  workMs = 0;
  /** Prompts that wait longer because of this one. */
  delayedPrompts = 0;
  ttftMs = 0;
}

/**
 * Predicts the time to first token of a prompt on a worker: the rest of the step that runs now, the prompts ahead of it, its own.
 * Prompts are computed in chunks that fill each step's token budget beside the decoding sequences, so tokens ahead and own
 * ones add up to whole steps. Prompts that come later are not foreseen.
 *
 * One serves many prompts and workers, one after the other: what does not depend on how much is cached is worked out once for each, and a
 * decision that asks hundreds of times leaves no objects.
 */
export class TtftForecaster {
  private mirror!: WorkerMirror;
  private order: PrefillOrder = 'fifo';
  private nowMs = 0;
  private promptTokens = 0;
  /** Tokens of prompts that a step has room for. */
  private budget = 1;
  /** A step that carries nothing. */
  private emptyMs = 0;
  private restOfStepMs = 0;
  /** Of the prompts that come before this one. */
  private isAheadKnown = false;
  private aheadTokens = 0;
  private stepsAhead = 0;
  private queueMs = 0;
  private delayedPrompts = 0;
  /** A step while it waits, but for the prompts in it. */
  private baseMs = 0;

  /** What is asked next is about this prompt on this worker. */
  about(mirror: WorkerMirror, { promptTokens, stepTokenBudget, order, nowMs }: ForecastedPrompt): this {
    this.mirror = mirror;
    this.order = order;
    this.nowMs = nowMs;
    this.promptTokens = promptTokens;
    this.budget = Math.max(1, stepTokenBudget - mirror.decodingSequences);
    this.emptyMs = mirror.stepTime.msOf(0, 0, 0, 0);
    this.restOfStepMs = mirror.restOfStepMs(nowMs);
    this.isAheadKnown = false;
    return this;
  }

  /** When it computes all but so many tokens. */
  computing(cachedTokens: number, into = new TtftForecast()): TtftForecast {
    const { promptTokens, budget } = this;
    const ownTokens = Math.max(1, promptTokens - cachedTokens);
    if (this.order === 'srpt') this.noteMoreUrgent(prefillUrgency(ownTokens, 0));
    else if (!this.isAheadKnown) this.noteAhead(this.mirror.backlog, this.mirror.pendingCount);
    const { aheadTokens, stepsAhead, queueMs, baseMs, restOfStepMs } = this;
    const ownMs = this.mirror.stepTime.msOf(ownTokens, 0, 0, pairsOf(promptTokens, ownTokens)) - this.emptyMs;
    const steps = Math.ceil((aheadTokens + ownTokens) / budget);
    const prefillMs = (steps - stepsAhead) * baseMs + ownMs;
    into.stepMs = restOfStepMs;
    into.queueMs = queueMs;
    into.prefillMs = prefillMs;
    into.workMs = (ownTokens / budget) * baseMs + ownMs;
    into.delayedPrompts = this.delayedPrompts;
    into.ttftMs = restOfStepMs + queueMs + prefillMs;
    return into;
  }

  /** When it fetches some blocks: while they are on their way, prompts ahead are computed. */
  fetching({ tokens, fetchMs }: FetchOption, into = new TtftForecast()): TtftForecast {
    this.computing(tokens, into);
    into.ttftMs = Math.max(into.stepMs + into.queueMs, fetchMs) + into.prefillMs;
    return into;
  }

  /** Some prompts come before. */
  private noteAhead({ tokens, pairs, contextTokens: promptTokens }: Backlog, count: number): void {
    const { mirror, budget } = this;
    // Prompts ahead decode when their turn is over: on average half of them do while the others are computed.
    const decodingSequences = mirror.decodingSequences + count / 2;
    const contextTokens = mirror.contextTokens + promptTokens / 2;
    const { stepTime } = mirror;
    const baseMs = stepTime.msOf(0, decodingSequences, contextTokens, 0);
    const stepsAhead = Math.floor(tokens / budget);
    this.aheadTokens = tokens;
    this.stepsAhead = stepsAhead;
    this.baseMs = baseMs;
    this.queueMs = stepsAhead * baseMs + (stepTime.msOf(tokens, 0, 0, pairs) - this.emptyMs);
    this.delayedPrompts = mirror.pendingCount - count;
    this.isAheadKnown = true;
  }

  /** Where the most urgent prompt goes first. */
  private noteMoreUrgent(urgency: number): void {
    const { mirror, nowMs } = this;
    const ahead = { tokens: 0, pairs: 0, contextTokens: 0 };
    let count = 0;
    for (const prompt of mirror.pending) {
      if (urgencyOf(prompt, nowMs) < urgency) continue;
      ahead.tokens += prompt.remainingTokens;
      ahead.pairs += pairsOf(prompt.promptTokens, prompt.remainingTokens);
      ahead.contextTokens += prompt.promptTokens;
      count++;
    }
    this.noteAhead(ahead, count);
  }
}

/** Of a request, on a worker as the scheduler sees it. */
export function forecastsOn(
  { mirror, model, prefillOrder: order }: WorkerView,
  { promptTokens }: PlacementRequest,
  nowMs: number,
  forecaster = new TtftForecaster(),
): TtftForecaster {
  return forecaster.about(mirror, { promptTokens, stepTokenBudget: stepTokensOf(model), order, nowMs });
}
