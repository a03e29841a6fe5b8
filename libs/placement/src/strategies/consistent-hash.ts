import type { PlacementRequest } from '../placement-request.js';
import {
  type PlacementChoice,
  type PlacementContext,
  PlacementStrategy,
  type PlacementTerms,
} from '../placement-strategy.js';
import type { WorkerView } from '../worker-view.js';
import { mixed32, rendezvousRank, textHash } from './key-hash.js';
import { type LoadBoundOptions, loadBound } from './load-bound.js';
import { PrefixAnchors } from './prefix-anchors.js';

/** Blocks whose conversation is remembered: about 15 MB. Chosen: 1,500 prompts of 16,000 tokens. */
const ANCHOR_BLOCKS = 262_144;

/**
 * `consistent-hash`: what belongs together goes to the same worker, until that one has more than its share.
 *
 * Key: the session key with its tenant; without one, the conversation that the prompt's deepest known block belongs to
 * (`PrefixAnchors`; never the first block, which a whole fleet may share); without a full block, the generation's id.
 * Formula: rendezvous hashing, `rank = mix(hash(key) ⊕ hash(workerId))`, larger is better, so a worker that joins or leaves moves
 * 1/n of the keys and nothing else; no virtual nodes are needed. Bounded loads: the best-ranked candidate with
 * `load < ceil(loadFactor × (m + 1) / n)` gets it, m being the load of all n workers that are not draining; what overflows
 * spreads over all others instead of falling on one neighbour. When no candidate is below the bound, the least loaded.
 * Options: `loadFactor` (`scheduler.consistentHashLoadFactor`). Terms: `rank` (0 to 1), `load`, `loadBound`.
 * @see Mirrokni, Thorup, Zadimoghaddam 2016, Consistent Hashing with Bounded Loads, arXiv:1608.01350
 * @see Thaler, Ravishankar 1998, Using name-based mappings to increase hit rates (rendezvous hashing)
 */
export class ConsistentHashStrategy extends PlacementStrategy {
  readonly name = 'consistent-hash';
  private readonly anchors = new PrefixAnchors(ANCHOR_BLOCKS);

  constructor(private readonly options: LoadBoundOptions) {
    super();
  }

  choose(request: PlacementRequest, candidates: readonly WorkerView[], context: PlacementContext): PlacementChoice {
    const key = this.keyOf(request);
    const bound = loadBound(context.workers, this.options.loadFactor);
    const terms = new Map<string, PlacementTerms>();
    let best: { worker: WorkerView; rank: number } | undefined;
    for (const worker of candidates) {
      const rank = rendezvousRank(key, worker.workerId);
      terms.set(worker.workerId, { rank, load: worker.load, loadBound: bound });
      if (worker.load < bound && (best === undefined || rank > best.rank)) best = { worker, rank };
    }
    const chosen = best?.worker ?? candidates.reduce((least, worker) => (worker.load < least.load ? worker : least));
    return { workerId: chosen.workerId, terms };
  }

  private keyOf(request: PlacementRequest): number {
    if (request.sessionKey !== '') return textHash(`${request.tenantId}\n${request.sessionKey}`);
    if (request.prefixHashes.length === 0) return textHash(request.generationId);
    const anchor = this.anchors.anchorOf(request.prefixHashes);
    return mixed32(anchor >>> 0) ^ mixed32(Math.floor(anchor / 2 ** 32));
  }
}
