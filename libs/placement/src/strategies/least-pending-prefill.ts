import type { PlacementRequest } from '../placement-request.js';
import { type PlacementChoice, PlacementStrategy } from '../placement-strategy.js';
import type { WorkerView } from '../worker-view.js';
import { Rotation } from './rotation.js';

/**
 * `least-pending-prefill`: the worker with the fewest prompt tokens to compute before this request's turn.
 *
 * Formula: `pending = pendingPrefillTokens of the report + promptTokensSinceReport`; least wins, then least load, then whose
 * turn it is. A prompt's cost grows with its length and hardly with anything else, so this is the time to the first token but
 * for what is cached. Without a report, all leased prompt tokens count.
 * Options: none. Terms: `pendingPrefillTokens`, `load`.
 * For: prompts of very different lengths that share little.
 */
export class LeastPendingPrefillStrategy extends PlacementStrategy {
  readonly name = 'least-pending-prefill';
  private readonly rotation = new Rotation();

  choose(request: PlacementRequest, candidates: readonly WorkerView[]): PlacementChoice {
    const least = Math.min(...candidates.map(pendingPrefillTokensOf));
    const leastPending = candidates.filter((worker) => pendingPrefillTokensOf(worker) === least);
    const chosen = this.rotation.nextOfLeast(request.modelId, leastPending, (worker) => worker.load);
    return {
      workerId: chosen.workerId,
      terms: new Map(
        candidates.map((worker) => [
          worker.workerId,
          { pendingPrefillTokens: pendingPrefillTokensOf(worker), load: worker.load },
        ]),
      ),
    };
  }
}

/** Prompt tokens that the worker has accepted, or is about to, and has not computed. */
export function pendingPrefillTokensOf(worker: WorkerView): number {
  const { report, leasedPromptTokens, promptTokensSinceReport } = worker;
  return report === undefined ? leasedPromptTokens : report.pendingPrefillTokens + promptTokensSinceReport;
}
