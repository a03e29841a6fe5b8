import type { GenerationRequest, GenerationUsage, SamplingParams, StopConditions } from '#lib/contracts';
import { SequenceText, StopStrings, type TokenTable } from '#lib/tokens';
import { LogitAdjustments } from '../sampling/logit-adjustments.js';
import { Sequence } from './sequence.js';

/** What of a model the step loop must know to turn ids into text and ends. */
export interface TextSource {
  readonly table: TokenTable;
  readonly eosTokenIds: readonly number[];
}

/** A request with valid `sampling` and `stop`: what `refusalOf` lets pass. */
export interface CheckedRequest extends GenerationRequest {
  sampling: SamplingParams;
  stop: StopConditions;
}

/** One request in the engine, and its sequences. */
export class Generation {
  readonly sequences: readonly Sequence[];
  /** Ids that end a sequence once it has `minTokens`. */
  readonly stopTokenIds: ReadonlySet<number>;
  /** Most tokens a slot of it will ever hold. */
  readonly reservedTokens: number;
  cachedPromptTokens = 0;
  private firstStepUs: number | undefined;
  private firstTokenUs: number | undefined;
  private lastTokenUs: number | undefined;

  /**
   * @param contextTokens  most tokens of one sequence here
   * @param arrivedUs      on the loop's monotonic clock, as all times of this class
   */
  constructor(
    readonly request: CheckedRequest,
    source: TextSource,
    contextTokens: number,
    private readonly arrivedUs: number,
  ) {
    const { promptTokenIds, acceptedTokenIds, sampling, stop } = request;
    const stops = stop.stopStrings.length > 0 ? new StopStrings(stop.stopStrings) : StopStrings.NONE;
    this.stopTokenIds = new Set([...stop.stopTokenIds, ...(stop.ignoreEos ? [] : source.eosTokenIds)]);
    this.reservedTokens = Math.min(contextTokens, promptTokenIds.length + stop.maxTokens);
    this.sequences = Array.from({ length: request.sequenceCount }, (_, index) => {
      const text = new SequenceText(source.table, {
        stops,
        includeStop: stop.includeStopString,
        minTokens: stop.minTokens,
        promptTokenIds,
      });
      const adjustments = LogitAdjustments.of(sampling, promptTokenIds);
      for (const tokenId of acceptedTokenIds) adjustments?.count(tokenId);
      // What this gives was delivered by the earlier attempt; what it holds back comes with the next token.
      text.push(acceptedTokenIds);
      return new Sequence(this, index, text, adjustments);
    });
  }

  get id(): string {
    return this.request.generationId;
  }

  get promptTokens(): number {
    return this.request.promptTokenIds.length;
  }

  get isEnded(): boolean {
    return this.sequences.every((sequence) => sequence.phase === 'ended');
  }

  get isWaiting(): boolean {
    return this.firstStepUs === undefined && this.sequences.every((sequence) => sequence.phase === 'waiting');
  }

  /** Its first sequence has been given a slot. */
  begin(nowUs: number): void {
    this.firstStepUs ??= nowUs;
  }

  tokenCame(nowUs: number): void {
    this.firstTokenUs ??= nowUs;
    this.lastTokenUs = nowUs;
  }

  usage(nowUs: number): GenerationUsage {
    const firstStepUs = this.firstStepUs ?? nowUs;
    const firstTokenUs = this.firstTokenUs ?? (this.firstStepUs === undefined ? firstStepUs : nowUs);
    return {
      promptTokens: this.promptTokens,
      completionTokens: this.sequences.reduce((sum, sequence) => sum + sequence.generatedTokens, 0),
      cachedPromptTokens: this.cachedPromptTokens,
      queueUs: Math.round(firstStepUs - this.arrivedUs),
      prefillUs: Math.round(firstTokenUs - firstStepUs),
      decodeUs: Math.round((this.lastTokenUs ?? firstTokenUs) - firstTokenUs),
    };
  }
}
