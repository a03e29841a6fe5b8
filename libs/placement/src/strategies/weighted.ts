import type { PlacementRequest } from '../placement-request.js';
import {
  type PlacementChoice,
  type PlacementContext,
  PlacementStrategy,
  type PlacementTerms,
} from '../placement-strategy.js';
import type { WorkerView } from '../worker-view.js';
import { pendingPrefillTokensOf } from './least-pending-prefill.js';
import { belowBound, loadBound } from './load-bound.js';
import { Rotation } from './rotation.js';

export const SCORERS = ['prefix', 'pending', 'load', 'kv'] as const;
export type Scorer = (typeof SCORERS)[number];

export interface WeightedOptions {
  /** Candidates with more than this multiple of the mean load are left out while there is another; 0 leaves out nobody. */
  readonly loadFactor: number;
  /** Weight of each score; 0 ignores it. */
  readonly weights: Readonly<Record<Scorer, number>>;
  /** `best`: the largest sum; `proportional`: at random, with probabilities in proportion to the sums. */
  readonly pick: 'best' | 'proportional';
}

/**
 * `weighted`: filter, score, pick, as `hydra.yaml` says.
 *
 * Filter: `load < ceil(loadFactor × (m + 1) / n)`, m being the load of all n workers, while one is below. Score: `Σ weight × score`, each
 * score from 0 to 1, larger is better:
 * | score | is |
 * |---|---|
 * | prefix | share of the prompt that the worker holds or is about to compute |
 * | pending | 1 − prompt tokens to compute / most among the candidates |
 * | load | 1 − sequences / sequence limit |
 * | kv | 1 − KV expected by leases / most among the candidates |
 * Pick: `best` (ties by turn) or `proportional`. Options: `scheduler.weighted`. Terms: the scores by name, `score`, `filtered` (1 when left out).
 */
export class WeightedStrategy extends PlacementStrategy {
  readonly name = 'weighted';
  private readonly rotation = new Rotation();

  constructor(private readonly options: WeightedOptions) {
    super();
  }

  choose(request: PlacementRequest, candidates: readonly WorkerView[], context: PlacementContext): PlacementChoice {
    const open = new Set(this.filter(candidates, context));
    const scoresOf = scorer(request, candidates, context);
    const sums = new Map<WorkerView, number>();
    const terms = new Map<string, PlacementTerms>();
    for (const worker of candidates) {
      const scores = scoresOf(worker);
      const score = SCORERS.reduce((sum, name) => sum + this.options.weights[name] * scores[name], 0);
      terms.set(worker.workerId, { ...scores, score, filtered: open.has(worker) ? 0 : 1 });
      if (open.has(worker)) sums.set(worker, score);
    }
    return { workerId: this.pick(request, sums, context).workerId, terms };
  }

  private filter(candidates: readonly WorkerView[], context: PlacementContext): readonly WorkerView[] {
    if (this.options.loadFactor === 0) return candidates;
    const bound = loadBound(context.workers, this.options.loadFactor);
    return belowBound(candidates, bound, ({ load }) => load);
  }

  private pick(
    request: PlacementRequest,
    sums: ReadonlyMap<WorkerView, number>,
    context: PlacementContext,
  ): WorkerView {
    const total = [...sums.values()].reduce((sum, score) => sum + score, 0);
    if (this.options.pick === 'best' || total === 0) {
      return this.rotation.nextOfLeast(request.modelId, [...sums.keys()], (worker) => -sums.get(worker)!);
    }
    let drawn = context.random() * total;
    for (const [worker, score] of sums) {
      drawn -= score;
      if (drawn < 0) return worker;
    }
    return [...sums.keys()].at(-1)!; // rounding; there is at least one
  }
}

function scorer(
  request: PlacementRequest,
  candidates: readonly WorkerView[],
  { prefix }: PlacementContext,
): (worker: WorkerView) => Record<Scorer, number> {
  const mostPending = Math.max(1, ...candidates.map(pendingPrefillTokensOf));
  const mostKv = Math.max(1, ...candidates.map(({ leasedKvTokens }) => leasedKvTokens));
  return (worker) => ({
    prefix: prefix.of(worker).tokens / Math.max(1, request.promptTokens),
    pending: 1 - pendingPrefillTokensOf(worker) / mostPending,
    load: Math.max(0, 1 - worker.sequences / worker.sequenceLimit),
    kv: 1 - worker.leasedKvTokens / mostKv,
  });
}
