import type { PlacementRequest } from '../placement-request.js';
import { type PlacementChoice, type PlacementContext, PlacementStrategy } from '../placement-strategy.js';
import type { WorkerView } from '../worker-view.js';
import { belowBound, type LoadBoundOptions, loadBound } from './load-bound.js';
import { Rotation } from './rotation.js';

/**
 * `prefix-aware`: the worker that has most of the prompt already, among those that have no more than their share of the load.
 *
 * Formula: of the candidates with `load < ceil(loadFactor × (m + 1) / n)` (m: load of all n workers; all candidates when none is
 * below), most `cachedTokens` wins, then least load, then whose turn it is. `cachedTokens` counts what the worker holds and what
 * it is about to compute for prompts sent before.
 * Options: `loadFactor` (`scheduler.consistentHashLoadFactor`). Terms: `cachedTokens`, `load`, `loadBound`.
 * For: long shared prompts where the load is even; it does not weigh waiting against computing, as `predicted-ttft` does.
 */
export class PrefixAwareStrategy extends PlacementStrategy {
  readonly name = 'prefix-aware';
  private readonly rotation = new Rotation();

  constructor(private readonly options: LoadBoundOptions) {
    super();
  }

  choose(request: PlacementRequest, candidates: readonly WorkerView[], context: PlacementContext): PlacementChoice {
    const bound = loadBound(context.workers, this.options.loadFactor);
    const considered = candidates.map((worker) => ({ worker, cachedTokens: context.prefix.of(worker).tokens }));
    const open = belowBound(considered, bound, ({ worker }) => worker.load);
    const most = Math.max(...open.map(({ cachedTokens }) => cachedTokens));
    const best = open.filter(({ cachedTokens }) => cachedTokens === most).map(({ worker }) => worker);
    const chosen = this.rotation.nextOfLeast(request.modelId, best, (worker) => worker.load);
    const terms = considered.map(
      ({ worker, cachedTokens }) => [worker.workerId, { cachedTokens, load: worker.load, loadBound: bound }] as const,
    );
    return { workerId: chosen.workerId, terms: new Map(terms) };
  }
}
