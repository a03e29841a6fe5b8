import type { WorkerView } from '../worker-view.js';

/** Models whose turn is remembered. */
const REMEMBERED_MODELS = 1_024;

/**
 * Whose turn it is, per model: the first candidate after the one chosen last, in the order of ids, round and round. It is
 * kept as an id, not as a number, so that workers may come and go without anybody's turn being lost.
 */
export class Rotation {
  private readonly lastWorkerIds = new Map<string, string>();

  /** @param candidates  sorted by id, at least one */
  next(modelId: string, candidates: readonly WorkerView[]): WorkerView {
    const lastWorkerId = this.lastWorkerIds.get(modelId);
    const after = lastWorkerId === undefined ? undefined : candidates.find((one) => one.workerId > lastWorkerId);
    const chosen = after ?? candidates[0]!;
    this.lastWorkerIds.delete(modelId);
    this.lastWorkerIds.set(modelId, chosen.workerId);
    if (this.lastWorkerIds.size > REMEMBERED_MODELS) {
      this.lastWorkerIds.delete(this.lastWorkerIds.keys().next().value!);
    }
    return chosen;
  }

  /** The candidate with the least cost; among equals, whose turn it is. */
  nextOfLeast(
    modelId: string,
    candidates: readonly WorkerView[],
    costOf: (worker: WorkerView, index: number) => number,
  ): WorkerView {
    let least = Number.POSITIVE_INFINITY;
    let equals: WorkerView[] = [];
    for (let index = 0; index < candidates.length; index++) {
      const cost = costOf(candidates[index]!, index);
      if (!(cost <= least)) continue; // also where it is no number
      if (cost < least) equals = [];
      least = cost;
      equals.push(candidates[index]!);
    }
    return this.next(modelId, equals);
  }
}
