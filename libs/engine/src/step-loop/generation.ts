import type {
  FinishReason,
  GenerationRequest,
  GenerationUsage,
  PositionLogprobs,
  SamplingParams,
  StopConditions,
} from '#lib/contracts';
import { SequenceText, StopStrings, type TokenTable } from '#lib/tokens';
import type { LoadedAdapter } from '../adapters/adapter-set.js';
import type { EngineTimeline } from '../engine-timeline.js';
import type { BlockHashes } from '../prefix/block-hashes.js';
import { LogitAdjustments } from '../sampling/logit-adjustments.js';

import { GenerationTimeline } from './generation-timeline.js';

/** What of a model the step loop must know to turn ids into text and ends. */
export interface TextSource {
  readonly table: TokenTable;
  readonly eosTokenIds: readonly number[];
}

/** A request with valid `sampling` and `stop`: what `refusalOf` lets pass. */
export interface CheckedRequest extends GenerationRequest {
  sampling: SamplingParams;
  stop: StopConditions;
  /** Of its `adapterId`; absent for the model alone. */
  adapter?: LoadedAdapter | undefined;
}

/** One request in the engine, and its sequences. */
export class Generation {
  readonly sequences: readonly Sequence[];
  /** Ids that end a sequence once it has `minTokens`. */
  readonly stopTokenIds: ReadonlySet<number>;
  /** Most tokens that one of its sequences may come to have. */
  readonly mostTokens: number;
  cachedPromptTokens = 0;
  /** Blocks of its prompt are on their way: it begins when they have come, or come no more. */
  awaitsBlocks = false;
  /** Of the prompt's tokens from the second on, as far as computed. Told with each sequence's first token. */
  readonly promptLogprobs: PositionLogprobs[] = [];
  readonly timeline: GenerationTimeline;
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
    readonly arrivedUs: number,
  ) {
    const { promptTokenIds, acceptedTokenIds, sampling, stop } = request;
    const stops = stop.stopStrings.length > 0 ? new StopStrings(stop.stopStrings) : StopStrings.NONE;
    this.timeline = new GenerationTimeline(arrivedUs);
    this.stopTokenIds = new Set([...stop.stopTokenIds, ...(stop.ignoreEos ? [] : source.eosTokenIds)]);
    this.mostTokens = Math.min(contextTokens, promptTokenIds.length + stop.maxTokens);
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

  /** Of the adapter it is computed with; empty for the model alone. */
  get adapterVersion(): string {
    return this.request.adapter?.version ?? '';
  }

  get adapterSlot(): number | undefined {
    return this.request.adapter?.slot;
  }

  get promptTokens(): number {
    return this.request.promptTokenIds.length;
  }

  /** Whether log-probabilities of the prompt are to be computed still. An earlier attempt told them with its first token. */
  get lacksPromptLogprobs(): boolean {
    const { sampling, acceptedTokenIds } = this.request;
    const isAsked = sampling.reportPromptLogprobs && acceptedTokenIds.length === 0;
    return isAsked && this.promptLogprobs.length < this.promptTokens - 1;
  }

  get isEnded(): boolean {
    return this.sequences.every((sequence) => sequence.phase === 'ended');
  }

  get isWaiting(): boolean {
    return this.firstStepUs === undefined && this.sequences.every((sequence) => sequence.phase === 'waiting');
  }

  /** Its first sequence has been given a slot. */
  begin(nowUs: number): void {
    if (this.firstStepUs !== undefined) return;
    this.firstStepUs = nowUs;
    this.timeline.queued(nowUs);
  }

  tokenCame(nowUs: number): void {
    this.firstTokenUs ??= nowUs;
    this.lastTokenUs = nowUs;
  }

  /** What was done for it until now. */
  history(nowUs: number): EngineTimeline {
    const { firstTokenUs: firstUs, lastTokenUs: lastUs } = this;
    const tokens = this.sequences.reduce((sum, sequence) => sum + sequence.generatedTokens, 0);
    const decode = firstUs === undefined || lastUs === undefined ? undefined : { firstUs, lastUs, tokens };
    return this.timeline.finish(nowUs, decode);
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

/**
 * - `waiting`: has no slot: not yet, or not any more since it was preempted
 * - `opening`: has a slot, whose prefix is being brought
 * - `prefill`: chunks of it are still to be computed, or it has no token of its own yet
 * - `decode`: a row in each step: all known tokens but the last are computed, or, where the runner is exact, all of the prompt
 * - `ended`: has given its last entry
 */
export type SequencePhase = 'waiting' | 'opening' | 'prefill' | 'decode' | 'ended';

/** One line of generation: what is known of it, how much of that stands in its slot, how far it may go. */
export class Sequence {
  phase: SequencePhase = 'waiting';
  /** Set from admission to end, or until it is preempted. */
  slot: number | undefined;
  /** Tokens that its slot has memory for. */
  kvTokens = 0;
  /** The slot holds positions [0, computedTokens). */
  computedTokens = 0;
  /** Those of them that a token was chosen after: a fault in what was computed would have shown in its logits. */
  provenTokens = 0;
  /** Leading tokens of the slot that the prefix store has, or has had no room for. */
  keptTokens = 0;
  /** Leading tokens that the prefix store had when it was first asked, while it waits for a slot. */
  findableTokens: number | undefined;
  /** Of the last token of its prompt, when all of that was kept and nothing is to be computed for the first token; shape [vocabularySize]. */
  promptLogits: Float32Array | undefined;
  /** Names of its blocks in the prefix store; made when they are first needed. */
  blockHashes: BlockHashes | undefined;
  /** Prompt, accepted and generated ids. */
  readonly tokenIds: number[];
  /** Tokens that may still be delivered. */
  creditTokens: number;
  finishReason: FinishReason | undefined;
  /** How often its slot was taken from it. */
  preemptions = 0;
  /** Steps since something was computed for it, while it has a slot. */
  idleSteps = 0;

  constructor(
    readonly generation: Generation,
    readonly index: number,
    readonly text: SequenceText,
    readonly adjustments: LogitAdjustments | undefined,
  ) {
    const { promptTokenIds, acceptedTokenIds, initialCredit } = generation.request;
    this.tokenIds = [...promptTokenIds, ...acceptedTokenIds];
    this.creditTokens = initialCredit;
  }

  get knownTokens(): number {
    return this.tokenIds.length;
  }

  /** Accepted ones included. */
  get generatedTokens(): number {
    return this.tokenIds.length - this.generation.promptTokens;
  }

  /** It has no slot any more, and nothing of it is computed. */
  forgetSlot(): void {
    this.slot = undefined;
    this.kvTokens = 0;
    this.computedTokens = 0;
    this.provenTokens = 0;
    this.keptTokens = 0;
    this.findableTokens = undefined;
    this.promptLogits = undefined;
  }

  /** Known tokens that prefill has still to compute. */
  get pendingPrefillTokens(): number {
    return this.phase === 'decode' || this.phase === 'ended' ? 0 : this.knownTokens - this.computedTokens;
  }
}
