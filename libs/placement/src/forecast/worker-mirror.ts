import { inPrefillOrder, type PrefillOrder } from '../prefill-order.js';
import { pairsOf } from './attention-pairs.js';
import { CacheRetention } from './cache-retention.js';
import { FetchTimeModel } from './fetch-time-model.js';
import { LinkTraffic } from './link-traffic.js';
import { type PendingPrompt, urgencyOf } from './pending-prompt.js';
import { type Backlog, PendingPrompts } from './pending-prompts.js';
import { PresumedProgress } from './presumed-progress.js';
import { type StepLoad, StepTimeModel } from './step-time-model.js';

/** What a worker says when a step begins, or when none does. */
export interface StepReport {
  /** The step before, when there was one. */
  readonly finished: { readonly load: StepLoad; readonly durationMs: number } | undefined;
  /** The step that begins now; absent when there is nothing to do. */
  readonly begun: StepLoad | undefined;
  /** Prompts with a part in this step or an earlier one, and what is left of each after this step. */
  readonly prompts: readonly { readonly generationId: string; readonly remainingTokens: number }[];
  readonly decodingSequences: number;
  /** Context of the decoding sequences, in tokens. */
  readonly contextTokens: number;
  /** Tokens that its KV holds in all; 0 when it does not say. */
  readonly kvTokens: number;
}

/** What a worker says of a whole interval of steps, when it does not report each. */
export interface IntervalReport {
  /** Mean duration of a step; 0 when there was none. */
  readonly stepMs: number;
  /** 0 when there was none. */
  readonly stepsPerSecond: number;
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /** Prompt tokens accepted and not computed. */
  readonly pendingPrefillTokens: number;
  readonly runningSequences: number;
  /** Tokens that its KV holds of running sequences, and in all; 0 when it does not say. */
  readonly contextTokens: number;
  readonly kvTokens: number;
  /** In which it computes prompts. */
  readonly order: PrefillOrder;
}

/** Of blocks from other workers, and from caches: what is behind them differs. */
export interface FetchTimeModels {
  readonly worker: FetchTimeModel;
  readonly kvcache: FetchTimeModel;
}

/** A request has come to its worker, and a report from there, this long after it was sent; chosen: twice across a continent. */
const ARRIVAL_MS = 100;

/**
 * What one worker is doing: exact about what was sent to it, and as old as its last word about its steps. No decision waits
 * for that word: in between, the fitted step time says where it must be.
 */
export class WorkerMirror {
  readonly stepTime: StepTimeModel;
  /** Of blocks from other workers, and from caches. */
  readonly fetchTime: FetchTimeModel;
  readonly cacheFetchTime: FetchTimeModel;
  readonly traffic = new LinkTraffic();
  private readonly prompts = new PendingPrompts();
  private readonly presumed = new PresumedProgress();
  /** Rates of the interval that was learned from last. */
  private lastInterval = '';
  /** What was computed of prompts since then. */
  private dropped = { tokens: 0, pairs: 0 };
  private stepEndsMs = 0;
  private decoding = { sequences: 0, contextTokens: 0 };
  private readonly cache = new CacheRetention();
  private intervalBeganMs = 0;

  /**
   * @param fleet         learns from every worker's steps
   * @param fleetFetches  and these from every worker's fetches
   */
  constructor(
    private readonly fleet = new StepTimeModel(),
    private readonly fleetFetches: FetchTimeModels = { worker: new FetchTimeModel(), kvcache: new FetchTimeModel() },
  ) {
    this.stepTime = new StepTimeModel(fleet);
    this.fetchTime = new FetchTimeModel(fleetFetches.worker);
    this.cacheFetchTime = new FetchTimeModel(fleetFetches.kvcache);
  }

  /** Prompts to compute, in the order they were sent. */
  get pending(): readonly PendingPrompt[] {
    return this.prompts.inOrder;
  }

  /** Of their first blocks (`PendingPrompts.firstKeys`). */
  get pendingFirstKeys(): readonly number[] {
    return this.prompts.firstKeys;
  }

  /** What they come to. */
  get backlog(): Backlog {
    return this.prompts.backlog;
  }

  get pendingCount(): number {
    return this.prompts.size;
  }

  get decodingSequences(): number {
    return this.decoding.sequences;
  }

  /** Context of the decoding sequences, in tokens. */
  get contextTokens(): number {
    return this.decoding.contextTokens;
  }

  /** Milliseconds until the step that runs now is over. */
  restOfStepMs(nowMs: number): number {
    return Math.max(0, this.stepEndsMs - nowMs);
  }

  /** How long a prompt stays in the cache after its last use (`CacheRetention`). */
  retentionMs(nowMs: number): number | undefined {
    return this.cache.retentionMs(nowMs);
  }

  sent(prompt: PendingPrompt): void {
    this.prompts.add({ ...prompt });
  }

  /** The generation is on this worker no more. */
  ended(generationId: string): void {
    this.prompts.delete(generationId);
    this.presumed.forget(generationId);
    this.traffic.ended(generationId);
  }

  report(report: StepReport, nowMs: number): void {
    const { finished, begun } = report;
    if (finished !== undefined) {
      this.observe(finished.load, finished.durationMs);
      this.cache.noteComputed(finished.load.prefillTokens, report.kvTokens, nowMs);
    }
    this.stepEndsMs = begun === undefined ? nowMs : nowMs + this.stepTime.stepMs(begun);
    this.decoding = { sequences: report.decodingSequences, contextTokens: report.contextTokens };
    this.cache.noteRoom(report.kvTokens, report.contextTokens);
    for (const { generationId, remainingTokens } of report.prompts) {
      const prompt = this.prompts.get(generationId);
      if (prompt === undefined) continue;
      if (remainingTokens === 0) this.prompts.delete(generationId);
      else prompt.remainingTokens = remainingTokens;
    }
    this.prompts.remainingTokensChanged();
  }

  /**
   * Takes a report over an interval. A step's time is linear in what it carries, so means fit the model as single steps do;
   * prompts are taken for computed in the worker's order.
   */
  reportInterval(report: IntervalReport, nowMs: number): void {
    this.prompts.replace(this.presumed.takeBack(this.pending));
    this.dropComputed(report, nowMs);
    if (report.stepsPerSecond > 0) {
      this.learnFrom(report);
      const computedTokens = (report.prefillTokensPerSecond * (nowMs - this.intervalBeganMs)) / 1_000;
      this.cache.noteComputed(computedTokens, report.kvTokens, nowMs);
    }
    this.stepEndsMs = nowMs + (report.runningSequences > 0 ? report.stepMs / 2 : 0);
    this.decoding = { sequences: report.runningSequences, contextTokens: report.contextTokens };
    this.cache.noteRoom(report.kvTokens, report.contextTokens);
    this.intervalBeganMs = nowMs;
  }

  /** It has fetched blocks from others. */
  fetched(from: keyof FetchTimeModels, fetches: number, bytes: number, durationMs: number): void {
    const own = from === 'worker' ? this.fetchTime : this.cacheFetchTime;
    for (const model of [own, this.fleetFetches[from]]) model.observe(fetches, bytes, durationMs);
  }

  /**
   * Goes on from the last report over an interval: whole steps of what was sent, in the worker's order, at the fitted speed.
   * @param stepTokenBudget  tokens one step may carry
   */
  catchUp(nowMs: number, stepTokenBudget: number, order: PrefillOrder = 'fifo'): void {
    for (;;) {
      const first = this.pending[0];
      const beginsMs = Math.max(this.stepEndsMs, first?.sentAtMs ?? Number.POSITIVE_INFINITY);
      if (beginsMs > nowMs) return;
      this.stepEndsMs = beginsMs + this.stepTime.stepMs(this.presumeStep(beginsMs, stepTokenBudget, order));
    }
  }

  /** @returns what the step carries; prompts that it completes decode from then on */
  private presumeStep(beginsMs: number, stepTokenBudget: number, order: PrefillOrder): StepLoad {
    const { sequences, contextTokens } = this.decoding;
    const budget = Math.max(1, stepTokenBudget - sequences);
    const completed = { sequences, contextTokens };
    let prefillTokens = 0;
    let attentionPairs = 0;
    const arrived = this.pending.filter(({ sentAtMs }) => sentAtMs <= beginsMs);
    for (const prompt of inPrefillOrder(order, arrived, (one) => urgencyOf(one, beginsMs))) {
      if (prefillTokens === budget) break;
      const tokens = Math.min(budget - prefillTokens, prompt.remainingTokens);
      attentionPairs += pairsOf(prompt.promptTokens - prompt.remainingTokens + tokens, tokens);
      prefillTokens += tokens;
      this.presumed.presume(prompt, tokens);
      if (prompt.remainingTokens > 0) break;
      this.prompts.delete(prompt.generationId);
      completed.sequences++;
      completed.contextTokens += prompt.promptTokens;
    }
    this.prompts.remainingTokensChanged();
    this.decoding = completed;
    return { prefillTokens, decodingSequences: sequences, contextTokens, attentionPairs };
  }

  private observe(load: StepLoad, durationMs: number): void {
    this.stepTime.observe(load, durationMs);
    this.fleet.observe(load, durationMs);
  }

  /** Rates are told again until an interval is over; each interval teaches once. */
  private learnFrom(report: IntervalReport): void {
    const { stepMs, stepsPerSecond, prefillTokensPerSecond, decodeTokensPerSecond, contextTokens } = report;
    const interval = [stepMs, stepsPerSecond, prefillTokensPerSecond, decodeTokensPerSecond].join();
    if (interval === this.lastInterval) return;
    this.lastInterval = interval;
    const prefillTokens = prefillTokensPerSecond / stepsPerSecond;
    const attentionPairs = this.dropped.tokens > 0 ? (prefillTokens * this.dropped.pairs) / this.dropped.tokens : 0;
    this.dropped = { tokens: 0, pairs: 0 };
    const decodingSequences = decodeTokensPerSecond / stepsPerSecond;
    this.observe({ prefillTokens, decodingSequences, contextTokens, attentionPairs }, stepMs);
  }

  /** Of the prompts that must have arrived, only so much can be left. */
  private dropComputed({ pendingPrefillTokens, order }: IntervalReport, nowMs: number): void {
    const arrived = this.pending.filter(({ sentAtMs }) => sentAtMs + ARRIVAL_MS <= nowMs);
    let excess = arrived.reduce((sum, { remainingTokens }) => sum + remainingTokens, 0) - pendingPrefillTokens;
    for (const prompt of inPrefillOrder(order, arrived, (one) => urgencyOf(one, nowMs))) {
      if (excess <= 0) break;
      const computed = Math.min(excess, prompt.remainingTokens);
      excess -= computed;
      this.dropped.tokens += computed;
      this.dropped.pairs += pairsOf(prompt.promptTokens - prompt.remainingTokens + computed, computed);
      prompt.remainingTokens -= computed;
      if (prompt.remainingTokens === 0) this.prompts.delete(prompt.generationId);
    }
    this.prompts.remainingTokensChanged();
  }
}
