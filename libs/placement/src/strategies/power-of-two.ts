import type { PlacementRequest } from '../placement-request.js';
import {
  type PlacementChoice,
  type PlacementContext,
  PlacementStrategy,
  type PlacementTerms,
} from '../placement-strategy.js';
import type { WorkerView } from '../worker-view.js';

/**
 * `power-of-two`: two candidates at random, and the one of them with the smaller share of its places taken.
 *
 * Formula: `occupancy = sequences / sequenceLimit`; the smaller wins, then fewer leased prompt tokens, then the first drawn.
 * A decision costs the same for any number of workers, and several schedulers that know each other's leases only late do not
 * all run to the same worker.
 * Options: none. Terms: `occupancy` (0 to 1), `leasedPromptTokens`, `drawn` (1 when it was one of the two).
 * @see Mitzenmacher 2001, The Power of Two Choices in Randomized Load Balancing
 */
export class PowerOfTwoStrategy extends PlacementStrategy {
  readonly name = 'power-of-two';

  choose(_request: PlacementRequest, candidates: readonly WorkerView[], context: PlacementContext): PlacementChoice {
    const first = Math.floor(context.random() * candidates.length);
    const others = candidates.length - 1;
    const second = others === 0 ? first : (first + 1 + Math.floor(context.random() * others)) % candidates.length;
    const [a, b] = [candidates[first]!, candidates[second]!];
    const chosen = isLess(b, a) ? b : a;
    const terms = new Map<string, PlacementTerms>(
      candidates.map((worker) => [
        worker.workerId,
        {
          occupancy: worker.sequences / worker.sequenceLimit,
          leasedPromptTokens: worker.leasedPromptTokens,
          drawn: worker === a || worker === b ? 1 : 0,
        },
      ]),
    );
    return { workerId: chosen.workerId, terms };
  }
}

function isLess(one: WorkerView, other: WorkerView): boolean {
  const difference = one.sequences / one.sequenceLimit - other.sequences / other.sequenceLimit;
  return difference < 0 || (difference === 0 && one.leasedPromptTokens < other.leasedPromptTokens);
}
