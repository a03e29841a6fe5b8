import type { WorkerView } from '../worker-view.js';

/** Of strategies that send no worker more than its share. */
export interface LoadBoundOptions {
  /** Most load of a worker as a multiple of the mean, at least 1. */
  readonly loadFactor: number;
}

/**
 * The load at which a worker has more than its share: `ceil(factor × (m + 1) / n)`, m being the load of all n workers that are
 * not draining.
 * @see Mirrokni, Thorup, Zadimoghaddam 2016, Consistent Hashing with Bounded Loads, arXiv:1608.01350
 */
export function loadBound(workers: readonly WorkerView[], factor: number): number {
  const taking = workers.filter((worker) => !worker.isDraining);
  const load = taking.reduce((sum, worker) => sum + worker.load, 0);
  return Math.ceil((factor * (load + 1)) / Math.max(1, taking.length));
}

/** Those below the bound; all when none is. */
export function belowBound<Item>(
  items: readonly Item[],
  bound: number,
  loadOf: (item: Item) => number,
): readonly Item[] {
  const below = items.filter((item) => loadOf(item) < bound);
  return below.length > 0 ? below : items;
}
