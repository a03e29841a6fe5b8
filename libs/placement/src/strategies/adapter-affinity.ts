import type { PlacementRequest } from '../placement-request.js';
import {
  type PlacementChoice,
  type PlacementContext,
  PlacementStrategy,
  type PlacementTerms,
} from '../placement-strategy.js';
import type { WorkerView } from '../worker-view.js';
import { rendezvousRank, textHash } from './key-hash.js';
import { type LoadBoundOptions, loadBound } from './load-bound.js';
import { Rotation } from './rotation.js';

/**
 * `adapter-affinity`: requests for one LoRA adapter share as few workers as their load allows, so that a batch holds few adapters
 * and an adapter's prefixes lie together; requests for the base model go where they disturb that least.
 *
 * Formula: each adapter has an order of workers of its own, `rank = mix(hash(model, adapter) ⊕ hash(workerId))`, larger first. The
 * first candidate in it with `load < ceil(loadFactor × (m + 1) / n)` wins (m: load of all n workers), so that an adapter spreads to its
 * second worker when the first has its share. When none is below, and for the base model: least load, then fewest loaded
 * adapters, then whose turn it is.
 * Options: `loadFactor` (`scheduler.consistentHashLoadFactor`). Terms: `rank` (0 to 1; 0 for the base model), `load`, `loadBound`, `adapters`.
 * @see Sheng et al. 2023, S-LoRA, arXiv:2311.03285
 */
export class AdapterAffinityStrategy extends PlacementStrategy {
  readonly name = 'adapter-affinity';
  private readonly rotation = new Rotation();

  constructor(private readonly options: LoadBoundOptions) {
    super();
  }

  choose(request: PlacementRequest, candidates: readonly WorkerView[], context: PlacementContext): PlacementChoice {
    const bound = loadBound(context.workers, this.options.loadFactor);
    const rankOf = this.ranking(request);
    const terms = new Map<string, PlacementTerms>();
    let best: { worker: WorkerView; rank: number } | undefined;
    for (const worker of candidates) {
      const rank = rankOf(worker);
      const { load, registration } = worker;
      terms.set(worker.workerId, { rank, load, loadBound: bound, adapters: registration.adapters.length });
      if (rank > (best?.rank ?? 0) && load < bound) best = { worker, rank };
    }
    const chosen = best?.worker ?? this.leastDisturbed(request, candidates);
    return { workerId: chosen.workerId, terms };
  }

  private ranking({ modelId, adapterId }: PlacementRequest): (worker: WorkerView) => number {
    if (adapterId === '') return () => 0;
    const key = textHash(`${modelId}\n${adapterId}`);
    return ({ workerId }) => rendezvousRank(key, workerId);
  }

  private leastDisturbed({ modelId }: PlacementRequest, candidates: readonly WorkerView[]): WorkerView {
    const least = Math.min(...candidates.map(({ load }) => load));
    const leastLoaded = candidates.filter(({ load }) => load === least);
    return this.rotation.nextOfLeast(modelId, leastLoaded, ({ registration }) => registration.adapters.length);
  }
}
