import type { ModelRunnerLimits } from '../model-runner.js';
import type { SequencePhase } from './generation.js';

/** The step loop between two steps, by value. */
export interface LoopSnapshot {
  readonly limits: ModelRunnerLimits;
  readonly slots: {
    readonly free: readonly number[];
    /** Slots whose prefix is being brought, or was when their sequence left. */
    readonly opening: readonly number[];
    readonly reservedTokens: number;
    readonly kvTokens: number;
  };
  readonly live: readonly { readonly slot: number | undefined; readonly phase: SequencePhase }[];
  readonly generations: readonly {
    readonly id: string;
    readonly reservedTokens: number;
    readonly sequences: readonly {
      readonly slot: number | undefined;
      readonly phase: SequencePhase;
      readonly computedTokens: number;
      readonly knownTokens: number;
    }[];
  }[];
}
