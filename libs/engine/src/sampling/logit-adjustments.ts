import type { SamplingParams } from '#lib/contracts';

/** Penalties and biases of one sequence; it counts the tokens they depend on. */
export class LogitAdjustments {
  private readonly generatedCounts = new Map<number, number>();
  private readonly promptIds: ReadonlySet<number>;
  private readonly bias: readonly (readonly [number, number])[];

  private constructor(
    private readonly sampling: SamplingParams,
    promptTokenIds: readonly number[],
  ) {
    this.promptIds = new Set(sampling.repetitionPenalty === 1 ? [] : promptTokenIds);
    this.bias = Object.entries(sampling.logitBias).map(([id, bias]) => [Number(id), bias] as const);
  }

  /** @returns `undefined` when nothing is asked for: the usual case costs nothing */
  static of(sampling: SamplingParams, promptTokenIds: readonly number[]): LogitAdjustments | undefined {
    const { repetitionPenalty, presencePenalty, frequencyPenalty, logitBias } = sampling;
    const isOff = repetitionPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0;
    if (isOff && Object.keys(logitBias).length === 0) return undefined;
    return new LogitAdjustments(sampling, promptTokenIds);
  }

  /** A token was generated. */
  count(tokenId: number): void {
    this.generatedCounts.set(tokenId, (this.generatedCounts.get(tokenId) ?? 0) + 1);
  }

  /** Repetition first, on the model's own logits, then the subtracted penalties, then the bias. */
  apply(logits: Float32Array): void {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.sampling;
    if (repetitionPenalty !== 1) {
      for (const id of this.promptIds) logits[id] = repeated(logits[id]!, repetitionPenalty);
      for (const id of this.generatedCounts.keys()) {
        if (!this.promptIds.has(id)) logits[id] = repeated(logits[id]!, repetitionPenalty);
      }
    }
    for (const [id, count] of this.generatedCounts) logits[id]! -= presencePenalty + frequencyPenalty * count;
    for (const [id, bias] of this.bias) logits[id]! += bias;
  }
}

function repeated(logit: number, penalty: number): number {
  return logit > 0 ? logit / penalty : logit * penalty;
}
