import type { Candidates } from './candidates.js';
import type { PlacementChoice, PlacementTerms } from './placement-strategy.js';

/** How a decision came about: each worker of the model, with its terms or why it was left out. */
export interface PlacementExplanation {
  readonly strategy: string;
  readonly candidates: readonly {
    readonly workerId: string;
    readonly terms: PlacementTerms;
    /** Empty when it was considered. */
    readonly filteredBy: string;
  }[];
  readonly chosenWorkerId: string;
  /** Whose blocks it is to fetch, of a worker; empty for nobody's. */
  readonly fetchedFromWorkerId: string;
  /** The caches that it is to fetch from, each once. */
  readonly fetchedFromCacheIds: readonly string[];
}

export function explain(strategy: string, selection: Candidates, choice: PlacementChoice): PlacementExplanation {
  const considered = selection.candidates.map(({ workerId }) => ({
    workerId,
    terms: choice.terms.get(workerId) ?? {},
    filteredBy: '',
  }));
  const filtered = [...selection.filtered].map(([workerId, filteredBy]) => ({ workerId, terms: {}, filteredBy }));
  const { from, parts = [] } = choice.fetch ?? {};
  const holderIds = [...new Set(parts.map(({ holderId }) => holderId))];
  return {
    strategy,
    candidates: [...considered, ...filtered],
    chosenWorkerId: choice.workerId,
    fetchedFromWorkerId: from === 'worker' ? holderIds.join() : '',
    fetchedFromCacheIds: from === 'kvcache' ? holderIds : [],
  };
}
