import type { PrefixKeys } from './prefix-keys.js';
import { type StepLoad, StepTimeModel } from './step-time-model.js';

/** A prompt that a worker has to compute, as the scheduler believes. */
export interface PendingPrompt {
  readonly generationId: string;
  readonly promptTokens: number;
  readonly prefixKeys: PrefixKeys;
  readonly sentAtMs: number;
  /** Neither computed nor cached; an estimate until the worker has begun with it. */
  remainingTokens: number;
}

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
  /** Tokens that its KV holds in all. */
  readonly kvTokens: number;
}

/** What a worker says of a whole interval of steps, when it does not report each. */
export interface IntervalReport {
  /** Mean duration of a step; 0 when there was none. */
  readonly stepMs: number;
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /** Prompt tokens accepted and not computed. */
  readonly pendingPrefillTokens: number;
  readonly runningSequences: number;
  /** Tokens that its KV holds of running sequences, and in all; 0 when it does not say. */
  readonly contextTokens: number;
  readonly kvTokens: number;
}

/** Marks kept of what a worker computed, per KV of it. Chosen: ages are then known to half a percent. */
const MARKS_PER_KV = 256;

/**
 * What one worker is doing: exact about what was sent to it, and as old as its last word about its steps. No decision waits
 * for that word: in between, the fitted step time says where it must be.
 */
export class WorkerMirror {
  readonly stepTime: StepTimeModel;
  private readonly prompts = new Map<string, PendingPrompt>();
  private stepEndsMs = 0;
  private decoding = { sequences: 0, contextTokens: 0 };
  private kvTokens = 0;
  private computedTokens = 0;
  private intervalBeganMs = 0;
  /** When how much had been computed, oldest first; never more than the last KV full of it. */
  private readonly marks: { readonly atMs: number; readonly computedTokens: number }[] = [];
  private tail = 0;
  private tailSinceMs: number | undefined;

  /** @param fleet  learns from every worker's steps */
  constructor(private readonly fleet = new StepTimeModel()) {
    this.stepTime = new StepTimeModel(fleet);
  }

  /** Prompts to compute, in the order they were sent. */
  get pending(): Iterable<PendingPrompt> {
    return this.prompts.values();
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

  /**
   * How long a prompt stays in the cache after its last use: the time in which the worker computed as many tokens as its
   * KV has room for beside the running sequences.
   * @returns undefined while it has not filled its KV once
   */
  retentionMs(nowMs: number): number | undefined {
    return this.tailSinceMs === undefined ? undefined : nowMs - this.tailSinceMs;
  }

  sent(prompt: PendingPrompt): void {
    this.prompts.set(prompt.generationId, { ...prompt });
  }

  /** The generation is on this worker no more. */
  ended(generationId: string): void {
    this.prompts.delete(generationId);
  }

  report(report: StepReport, nowMs: number): void {
    const { finished, begun } = report;
    this.kvTokens = report.kvTokens;
    if (finished !== undefined) {
      this.observe(finished.load, finished.durationMs);
      this.noteComputed(finished.load.prefillTokens, nowMs);
    }
    this.stepEndsMs = begun === undefined ? nowMs : nowMs + this.stepTime.stepMs(begun);
    this.decoding = { sequences: report.decodingSequences, contextTokens: report.contextTokens };
    this.findTail();
    for (const { generationId, remainingTokens } of report.prompts) {
      const prompt = this.prompts.get(generationId);
      if (prompt === undefined) continue;
      if (remainingTokens === 0) this.prompts.delete(generationId);
      else prompt.remainingTokens = remainingTokens;
    }
  }

  /**
   * Takes a report over an interval. A step's time is linear in what it carries, so means fit the model as single steps do;
   * prompts are taken for computed in the order they were sent.
   */
  reportInterval(report: IntervalReport, nowMs: number): void {
    const stepsPerSecond = report.stepMs > 0 ? 1_000 / report.stepMs : 0;
    this.kvTokens = report.kvTokens;
    if (stepsPerSecond > 0) {
      const load = {
        prefillTokens: report.prefillTokensPerSecond / stepsPerSecond,
        decodingSequences: report.decodeTokensPerSecond / stepsPerSecond,
        contextTokens: report.contextTokens,
        attentionPairs: 0, // not told: the time of attention is part of what a prompt token takes
      };
      this.observe(load, report.stepMs);
      this.noteComputed((report.prefillTokensPerSecond * (nowMs - this.intervalBeganMs)) / 1_000, nowMs);
    }
    this.stepEndsMs = nowMs + (report.runningSequences > 0 ? report.stepMs / 2 : 0);
    this.decoding = { sequences: report.runningSequences, contextTokens: report.contextTokens };
    this.findTail();
    this.dropComputed(report.pendingPrefillTokens);
    this.intervalBeganMs = nowMs;
  }

  private observe(load: StepLoad, durationMs: number): void {
    this.stepTime.observe(load, durationMs);
    this.fleet.observe(load, durationMs);
  }

  /** Of the prompts that must have arrived, because they were sent before the last report, only so much can be left. */
  private dropComputed(leftTokens: number): void {
    const arrived = [...this.prompts.values()].filter(({ sentAtMs }) => sentAtMs < this.intervalBeganMs);
    let excess = arrived.reduce((sum, { remainingTokens }) => sum + remainingTokens, 0) - leftTokens;
    for (const prompt of arrived) {
      if (excess <= 0) return;
      const computed = Math.min(excess, prompt.remainingTokens);
      excess -= computed;
      prompt.remainingTokens -= computed;
      if (prompt.remainingTokens === 0) this.prompts.delete(prompt.generationId);
    }
  }

  private noteComputed(tokens: number, nowMs: number): void {
    this.computedTokens += tokens;
    const last = this.marks.at(-1);
    if (last !== undefined && this.computedTokens - last.computedTokens < this.kvTokens / MARKS_PER_KV) return;
    this.marks.push({ atMs: nowMs, computedTokens: this.computedTokens });
    const second = this.marks[1];
    if (second === undefined || this.computedTokens - second.computedTokens < this.kvTokens) return;
    this.marks.shift();
    this.tail = Math.max(0, this.tail - 1);
  }

  /** The newest mark since which the cache was filled once; the marks are in order, so it is near the last one found. */
  private findTail(): void {
    const room = this.kvTokens - this.decoding.contextTokens;
    const isFull = (index: number) =>
      this.computedTokens - (this.marks[index]?.computedTokens ?? this.computedTokens) >= room;
    while (this.tail > 0 && !isFull(this.tail)) this.tail--;
    while (this.tail + 1 < this.marks.length && isFull(this.tail + 1)) this.tail++;
    this.tailSinceMs = isFull(this.tail) ? this.marks[this.tail]?.atMs : undefined;
  }
}
