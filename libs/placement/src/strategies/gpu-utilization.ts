import type { PlacementRequest } from '../placement-request.js';
import { type PlacementChoice, PlacementStrategy } from '../placement-strategy.js';
import type { WorkerView } from '../worker-view.js';
import { Rotation } from './rotation.js';

/**
 * `gpu-utilization`: the worker whose devices are least busy.
 *
 * Formula: `utilization = mean over devices + generationsSinceReport / maxRunningSequences`; least wins, then least load, then
 * whose turn it is. The second part corrects a report that is older than what was just sent: without it every request of a
 * burst would go to the same worker until the next report. It takes utilization for linear in the batch, which it is not
 * (one sequence keeps a GPU busy most of the time): prefer `least-loaded` unless the devices run other work too.
 * Without a report, or devices in it, utilization is `load / maxRunningSequences`.
 * Options: none. Terms: `utilization` (corrected), `reportedUtilization` (-1 when unknown), `generationsSinceReport`, `load`.
 */
export class GpuUtilizationStrategy extends PlacementStrategy {
  readonly name = 'gpu-utilization';
  private readonly rotation = new Rotation();

  choose(request: PlacementRequest, candidates: readonly WorkerView[]): PlacementChoice {
    const least = Math.min(...candidates.map(correctedUtilization));
    const leastUtilized = candidates.filter((worker) => correctedUtilization(worker) === least);
    const chosen = this.rotation.nextOfLeast(request.modelId, leastUtilized, (worker) => worker.load);
    return {
      workerId: chosen.workerId,
      terms: new Map(candidates.map((worker) => [worker.workerId, termsOf(worker)])),
    };
  }
}

function reportedUtilization(worker: WorkerView): number | undefined {
  const devices = worker.report?.devices ?? [];
  if (devices.length === 0) return undefined;
  return devices.reduce((sum, device) => sum + device.utilization, 0) / devices.length;
}

function correctedUtilization(worker: WorkerView): number {
  const batch = worker.model.maxRunningSequences || worker.sequenceLimit;
  const reported = reportedUtilization(worker);
  return reported === undefined ? worker.load / batch : reported + worker.generationsSinceReport / batch;
}

function termsOf(worker: WorkerView) {
  return {
    utilization: correctedUtilization(worker),
    reportedUtilization: reportedUtilization(worker) ?? -1,
    generationsSinceReport: worker.generationsSinceReport,
    load: worker.load,
  };
}
