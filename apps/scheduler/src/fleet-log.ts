import type { Registration } from '#lib/contracts';
import type { Logger } from '#lib/observability';
import type { Lease, RegisterOutcome, WorkerDeparture } from '#lib/placement';
import type { PlacementMetrics } from './placement-metrics.js';

/** What is told of workers that come and go and of leases that end by themselves, in the log and in the metrics. */
export class FleetLog {
  constructor(
    private readonly logger: Logger,
    private readonly metrics: PlacementMetrics,
  ) {}

  registered({ workerId, workerEpoch, target, models }: Registration, outcome: RegisterOutcome): void {
    const ids = models.map((model) => model.modelId);
    const about = { worker: workerId, worker_epoch: workerEpoch, target, models: ids };
    if (outcome.kind === 'superseded') this.logger.warn({ ...about, by_epoch: outcome.byEpoch }, 'old worker refused');
    else this.logger.info(about, `worker ${outcome.kind}`);
    if (outcome.kind !== 'replaced') return;
    this.metrics.noteDeparture('replaced');
    this.leasesEnded(outcome.endedLeases, 'worker-left');
  }

  draining(workerId: string, workerEpoch: number): void {
    this.logger.info({ worker: workerId, worker_epoch: workerEpoch }, 'worker drains');
  }

  left({ workerId: worker, workerEpoch: worker_epoch, endedLeases, wasDraining }: WorkerDeparture, why: string): void {
    this.metrics.noteDeparture(wasDraining ? 'drained' : 'lost');
    const level = wasDraining && endedLeases.length === 0 ? 'info' : 'warn';
    this.logger[level]({ worker, worker_epoch, leases: endedLeases.length, why }, 'worker left');
    this.leasesEnded(endedLeases, 'worker-left');
  }

  leasesEnded(leases: readonly Lease[], cause: 'expired' | 'replaced' | 'worker-left' | 'not-held'): void {
    this.metrics.noteLeasesEnded(leases.length, cause);
    // A worker that left is one event, with one line of its own.
    const level = cause === 'worker-left' ? 'debug' : 'info';
    for (const { leaseId: lease, generationId: generation_id, workerId: worker } of leases) {
      this.logger[level]({ lease, generation_id, worker, cause }, 'lease ended by itself');
    }
  }
}
