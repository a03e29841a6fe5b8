import type { BlockSources, FetchOption } from './forecast/block-sources.js';
import type { ExpectedPrefix } from './forecast/expected-prefix.js';
import type { PlacementRequest } from './placement-request.js';
import type { WorkerView } from './worker-view.js';

/** Numbers behind a decision, by name; each strategy documents its own. */
export type PlacementTerms = Readonly<Record<string, number>>;

/** Terms of each candidate of a decision, by worker id; hardly any are ever read. */
export interface CandidateTerms {
  get(workerId: string): PlacementTerms | undefined;
  /** A copy for some of them; where it is absent, what `get` gives does not hold on to the others. */
  only?(workerIds: readonly string[]): CandidateTerms;
}

export interface PlacementContext {
  /** Milliseconds; the only clock a strategy has. */
  readonly nowMs: number;
  /** The only chance a strategy has: seeded, in [0, 1). */
  readonly random: () => number;
  /** Every worker of the model, the filtered ones too: for means over the fleet. */
  readonly workers: readonly WorkerView[];
  /** How much of the prompt each candidate has. */
  readonly prefix: ExpectedPrefix;
  /** Who has more of it; absent where workers have no blocks from each other. */
  readonly sources?: BlockSources | undefined;
}

export interface PlacementChoice {
  /** One of the candidates. */
  readonly workerId: string;
  /** At least those of the chosen one. */
  readonly terms: CandidateTerms;
  /** Predicted time to first token on the chosen worker, in milliseconds; absent when the strategy predicts none. */
  readonly ttftMs?: number;
  /** What the chosen worker is to fetch: one of its options, which are good until the next worker is asked about (`BlockSources.optionsFor`). */
  readonly fetch?: FetchOption | undefined;
}

/**
 * Chooses a worker for one request. The candidates have room, serve the model and adapter, are not draining and, while
 * there is another, not avoided; there is at least one, and they come sorted by worker id. Inputs are not changed. Own
 * state is allowed when it is bounded; equal calls in equal order give equal choices. One instance serves every model.
 */
export abstract class PlacementStrategy {
  abstract readonly name: string;
  /** Whether it has workers fetch blocks from each other. */
  readonly fetchesBlocks: boolean = false;
  abstract choose(
    request: PlacementRequest,
    candidates: readonly WorkerView[],
    context: PlacementContext,
  ): PlacementChoice;
}
