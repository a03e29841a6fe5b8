import type { Candidates } from './candidates.js';
import type { CandidateTerms, PlacementChoice, PlacementTerms } from './placement-strategy.js';

/** A worker that was considered, or left out. */
export class ExplainedWorker {
  /**
   * @param filteredBy  empty when it was considered
   * @param all         of those who were
   */
  constructor(
    readonly workerId: string,
    readonly filteredBy: string,
    private readonly all: CandidateTerms,
  ) {}

  /** The same workers of one decision, without the terms of its others: for who keeps them longer than the decision. */
  static copiesOf(workers: readonly ExplainedWorker[]): ExplainedWorker[] {
    const all = workers.find(({ filteredBy }) => filteredBy === '')?.all ?? NO_TERMS;
    const workerIds = workers.map(({ workerId }) => workerId);
    const terms = all.only?.(workerIds) ?? new Map(workerIds.map((workerId) => [workerId, all.get(workerId) ?? {}]));
    return workers.map(({ workerId, filteredBy }) => new ExplainedWorker(workerId, filteredBy, terms));
  }

  /** Put together with each call; none when it was left out. */
  get terms(): PlacementTerms {
    return this.all.get(this.workerId) ?? {};
  }
}

/** How a decision came about: each worker of the model, with its terms or why it was left out. */
export interface PlacementExplanation {
  readonly strategy: string;
  readonly candidates: readonly ExplainedWorker[];
  readonly chosenWorkerId: string;
  /** As many and of the same names as those of each other candidate that was considered. */
  readonly chosenTerms: PlacementTerms;
  /** Whose blocks it is to fetch, of a worker; empty for nobody's. */
  readonly fetchedFromWorkerId: string;
  /** The caches that it is to fetch from, each once. */
  readonly fetchedFromCacheIds: readonly string[];
}

/** @throws when the strategy breaks its contract */
export function explain(
  strategy: string,
  { candidates, filtered }: Candidates,
  choice: PlacementChoice,
): PlacementExplanation {
  const { workerId: chosenWorkerId, terms, fetch } = choice;
  const chosenTerms = terms?.get(chosenWorkerId);
  if (chosenTerms === undefined) throw new Error(`it has no terms of "${chosenWorkerId}", which it chose`);
  const explained = candidates.map(({ workerId }) => new ExplainedWorker(workerId, '', terms));
  for (const [workerId, filteredBy] of filtered) explained.push(new ExplainedWorker(workerId, filteredBy, NO_TERMS));
  const holderIds = fetch === undefined ? [] : [...new Set(fetch.parts.map(({ holderId }) => holderId))];
  return {
    strategy,
    candidates: explained,
    chosenWorkerId,
    chosenTerms,
    fetchedFromWorkerId: fetch?.from === 'worker' ? holderIds.join() : '',
    fetchedFromCacheIds: fetch?.from === 'kvcache' ? holderIds : [],
  };
}

const NO_TERMS: CandidateTerms = new Map();
