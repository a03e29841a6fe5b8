import type { PlacementRequest } from '../placement-request.js';
import { type PlacementChoice, PlacementStrategy } from '../placement-strategy.js';
import type { WorkerView } from '../worker-view.js';
import { Rotation } from './rotation.js';

/**
 * `round-robin`: each worker in turn, whatever it is doing.
 *
 * Formula: the first candidate after the last chosen one, in the order of ids, per model.
 * Inputs: ids only. Options: none. Terms: `load`, for information.
 * For: equal workers and equal requests; a baseline for everything else.
 */
export class RoundRobinStrategy extends PlacementStrategy {
  readonly name = 'round-robin';
  private readonly rotation = new Rotation();

  choose(request: PlacementRequest, candidates: readonly WorkerView[]): PlacementChoice {
    const chosen = this.rotation.next(request.modelId, candidates);
    return {
      workerId: chosen.workerId,
      terms: new Map(candidates.map((worker) => [worker.workerId, { load: worker.load }])),
    };
  }
}
