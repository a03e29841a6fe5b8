import type { FinishReason } from '#lib/contracts';
import type { SequenceText } from '#lib/tokens';
import type { LogitAdjustments } from '../sampling/logit-adjustments.js';
import type { Generation } from './generation.js';

/**
 * - `waiting`: has no slot yet
 * - `opening`: has a slot, whose prefix is being brought
 * - `prefill`: more than its last known token is still to be computed, or it has no token of its own yet
 * - `decode`: all known tokens but the last are computed
 * - `ended`: has given its last entry
 */
export type SequencePhase = 'waiting' | 'opening' | 'prefill' | 'decode' | 'ended';

/** One line of generation: what is known of it, how much of that stands in its slot, how far it may go. */
export class Sequence {
  phase: SequencePhase = 'waiting';
  /** Set from admission to end. */
  slot: number | undefined;
  /** The slot holds positions [0, computedTokens). */
  computedTokens = 0;
  /** Prompt, accepted and generated ids. */
  readonly tokenIds: number[];
  /** Tokens that may still be delivered. */
  creditTokens: number;
  finishReason: FinishReason | undefined;

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

  /** Known tokens that prefill has still to compute. */
  get pendingPrefillTokens(): number {
    return this.phase === 'decode' || this.phase === 'ended' ? 0 : this.knownTokens - this.computedTokens;
  }
}
