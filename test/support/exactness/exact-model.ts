import { expect } from 'vitest';
import { FinishReason } from '#lib/contracts';
import type { OnnxModelRunner } from '#lib/engine-onnx';
import type { SequenceOutcome } from '../../../libs/engine/testing/event-log.js';
import { type LoadedModel, loadModel } from './loaded-model.js';
import { runAlone, runSchedule, type ScheduleResult, withoutCopies } from './run-schedule.js';
import type { Command, ScheduledRequest } from './schedule.js';

export interface ExactModelOptions {
  readonly contextTokens: number;
  /** Pages of KV that all sequences share. */
  readonly kvPages: number;
  readonly maxSequences: number;
  readonly chunkTokens: number;
}

/** How often what was compared is something that could have made a difference. */
export interface Seen {
  sequences: number;
  preemptions: number;
  laterChunks: number;
  copies: number;
  cachedTokens: number;
  moves: number;
  promptRuns: number;
  cancelled: number;
  resumed: number;
}

/**
 * A model with exact numerics, twice: with little memory, small chunks and many sequences at once, and for one sequence at a
 * time with its prompt in one piece. Comparing them is to the bit: log-probabilities as well as tokens.
 */
export class ExactModel {
  readonly seen: Seen = {
    sequences: 0,
    preemptions: 0,
    laterChunks: 0,
    copies: 0,
    cachedTokens: 0,
    moves: 0,
    promptRuns: 0,
    cancelled: 0,
    resumed: 0,
  };

  private constructor(
    private readonly model: LoadedModel,
    private readonly crowded: OnnxModelRunner,
    private readonly alone: OnnxModelRunner,
  ) {}

  static async load(name: string, options: ExactModelOptions): Promise<ExactModel> {
    const model = await loadModel(name, 'fp32');
    const { layers, kvHeads } = model.compiled.manifest;
    const { kvPages, contextTokens, maxSequences, chunkTokens } = options;
    const crowded = await model.runner({
      numerics: 'exact',
      threads: 2,
      kvBytes: kvPages * layers * kvHeads * 2 * 4096,
      contextTokens,
      maxSequences,
      chunkTokens,
      chunkBesideDecode: { leastTokens: 5, tokensPerRow: 3 },
    });
    const alone = await model.runner({
      numerics: 'exact',
      threads: 1,
      kvBytes: 256 * 1024 * 1024,
      contextTokens,
      chunkTokens: contextTokens,
    });
    return new ExactModel(model, crowded, alone);
  }

  get vocabularySize(): number {
    return this.model.vocabularySize;
  }

  async close(): Promise<void> {
    await Promise.all([this.crowded.close(), this.alone.close()]);
  }

  /** Batched, chunked, preempted, moved, forked, cancelled, with a prefix from the store: as alone. */
  async expectUndisturbed(schedule: readonly Command[]): Promise<ScheduleResult> {
    const result = await this.run(schedule);
    for (const { request, outcome } of result.outcomes) {
      const own = await runAlone(withoutCopies(this.alone), this.model.text, request);
      for (const [index, sequence] of own.sequences) this.expectSame(outcome.sequences.get(index)!, sequence);
    }
    return result;
  }

  /** What went to its end goes on from the middle, all at once: as if it had never been interrupted. */
  async expectResumable({ outcomes }: ScheduleResult): Promise<void> {
    const whole = outcomes.filter(({ request, outcome }) => {
      const first = outcome.sequences.get(0)!;
      return request.sequenceCount === 1 && first.finishReason === FinishReason.LENGTH && first.tokenIds.length > 1;
    });
    const cuts = whole.map(({ outcome }) => {
      const { tokenIds } = outcome.sequences.get(0)!;
      return Math.ceil(tokenIds.length / 2);
    });
    const rests = whole.map(({ request, outcome }, index): ScheduledRequest => {
      const acceptedTokenIds = outcome.sequences.get(0)!.tokenIds.slice(0, cuts[index]);
      return { ...request, acceptedTokenIds };
    });
    const resumed = await this.run(rests.map((request) => ({ kind: 'submit', request })));
    for (const [index, { outcome }] of resumed.outcomes.entries()) {
      const before = whole[index]!.outcome.sequences.get(0)!;
      const after = outcome.sequences.get(0)!;
      this.seen.resumed++;
      expect(after.tokenIds).toEqual(before.tokenIds.slice(cuts[index]));
      expect(after.logprobs).toEqual(before.logprobs.slice(cuts[index]));
    }
  }

  private async run(schedule: readonly Command[]): Promise<ScheduleResult> {
    const result = await runSchedule(this.crowded, this.model.text, schedule);
    const { outcomes, state, passes, broken } = result;
    expect(broken).toEqual([]);
    expect(state).toMatchObject({ runningGenerations: 0, waitingGenerations: 0, kvUsedBytes: 0 });
    for (const { outcome } of outcomes) expect(outcome).toMatchObject({ ends: 1, lateEntries: 0, failure: undefined });
    this.seen.preemptions += state.preemptions;
    this.seen.laterChunks += passes.laterChunks;
    this.seen.copies += passes.copies;
    this.seen.cachedTokens += state.cachedPromptTokens;
    this.seen.moves += passes.moves;
    this.seen.promptRuns += passes.promptRuns;
    return result;
  }

  private expectSame(came: SequenceOutcome, own: SequenceOutcome): void {
    this.seen.sequences++;
    if (came.finishReason !== FinishReason.CANCELLED) {
      expect(came).toEqual(own);
      return;
    }
    this.seen.cancelled++;
    expect(came.tokenIds).toEqual(own.tokenIds.slice(0, came.tokenIds.length));
    expect(came.logprobs).toEqual(own.logprobs.slice(0, came.logprobs.length));
  }
}
