import type { PlacementRequest } from '../placement-request.js';
import { type PlacementChoice, PlacementStrategy } from '../placement-strategy.js';
import type { WorkerView } from '../worker-view.js';
import { Rotation } from './rotation.js';

/**
 * `least-loaded`: the worker with the smallest share of its places taken.
 *
 * Formula: `occupancy = sequences / sequenceLimit`; least wins, then fewest leased prompt tokens, then whose turn it is.
 * Inputs: live leases (exact, the one sent a microsecond ago included) and what a worker holds without a lease.
 * Options: none. Terms: `occupancy` (0 to 1), `load` (generations), `leasedPromptTokens`.
 * For: mixed lengths and unequal workers; it does not know prefixes.
 */
export class LeastLoadedStrategy extends PlacementStrategy {
  readonly name = 'least-loaded';
  private readonly rotation = new Rotation();

  choose(request: PlacementRequest, candidates: readonly WorkerView[]): PlacementChoice {
    const leastOccupancy = Math.min(...candidates.map(occupancyOf));
    const leastOccupied = candidates.filter((worker) => occupancyOf(worker) === leastOccupancy);
    const chosen = this.rotation.nextOfLeast(request.modelId, leastOccupied, (worker) => worker.leasedPromptTokens);
    return {
      workerId: chosen.workerId,
      terms: new Map(candidates.map((worker) => [worker.workerId, termsOf(worker)])),
    };
  }
}

function occupancyOf(worker: WorkerView): number {
  return worker.sequences / worker.sequenceLimit;
}

function termsOf(worker: WorkerView) {
  return { occupancy: occupancyOf(worker), load: worker.load, leasedPromptTokens: worker.leasedPromptTokens };
}
