import type { ModelRunnerLimits } from '../model-runner.js';
import type { SequencePhase } from './generation.js';
import type { GenerationSet } from './generation-set.js';
import type { Slots } from './slots.js';

/** The step loop between two steps, by value. */
export interface LoopSnapshot {
  readonly limits: ModelRunnerLimits;
  readonly slots: {
    readonly free: readonly number[];
    /** Slots whose prefix is being brought; memory is given for those whose sequence has left. */
    readonly opening: readonly { readonly slot: number; readonly abandonedTokens: number }[];
    readonly freeKvTokens: number;
    /** Free slots in which something stands still, and their memory: a part of what is free. */
    readonly resting: readonly { readonly slot: number; readonly kvTokens: number }[];
    /** Memory of the prefix store: a part of what is free. */
    readonly cachedKvTokens: number;
    readonly totalKvTokens: number;
    readonly pageTokens: number;
  };
  readonly live: readonly { readonly slot: number | undefined; readonly phase: SequencePhase }[];
  readonly waitingIds: readonly string[];
  readonly generations: readonly {
    readonly id: string;
    readonly promptTokens: number;
    readonly sequences: readonly {
      readonly slot: number | undefined;
      readonly phase: SequencePhase;
      readonly computedTokens: number;
      readonly knownTokens: number;
      /** What its slot has memory for. */
      readonly kvTokens: number;
    }[];
  }[];
}

export function snapshotOf(limits: ModelRunnerLimits, slots: Slots, generations: GenerationSet): LoopSnapshot {
  return {
    limits,
    slots: slots.snapshot(),
    live: generations.live.map(({ slot, phase }) => ({ slot, phase })),
    waitingIds: generations.waiting.ids(),
    generations: generations.all().map(({ id, promptTokens, sequences }) => ({
      id,
      promptTokens,
      sequences: sequences.map(({ slot, phase, computedTokens, knownTokens, kvTokens }) => ({
        slot,
        phase,
        computedTokens,
        knownTokens,
        kvTokens,
      })),
    })),
  };
}
