/**
 * What an engine did for one generation, in the order of the beginnings. Times are microseconds since it was submitted to the
 * engine's loop.
 */
export interface EngineTimeline {
  readonly phases: readonly EnginePhase[];
  /** When its last event was made. */
  readonly endUs: number;
}

export type EnginePhase =
  /** It had no slot yet; only the first time. */
  | { readonly kind: 'queued'; readonly startUs: number; readonly endUs: number }
  /** Its prefix was looked for, and brought into its slot. */
  | {
      readonly kind: 'prefix-lookup';
      readonly startUs: number;
      readonly endUs: number;
      readonly sequenceIndex: number;
      readonly cachedTokens: number;
    }
  /** Known tokens [fromToken, toToken) were computed, in `chunks` chunks: one, but for the last of many. */
  | {
      readonly kind: 'prefill-chunk';
      readonly startUs: number;
      readonly endUs: number;
      readonly sequenceIndex: number;
      readonly fromToken: number;
      readonly toToken: number;
      readonly chunks: number;
    }
  /** A sequence lost its slot for lack of memory; it is computed again. */
  | { readonly kind: 'preempted'; readonly startUs: number; readonly endUs: number; readonly sequenceIndex: number }
  /** From the first token to the last. */
  | { readonly kind: 'decode'; readonly startUs: number; readonly endUs: number; readonly tokens: number };
