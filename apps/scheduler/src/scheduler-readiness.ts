import { Injectable } from '@nestjs/common';
import { Readiness, type ReadinessState } from '#lib/observability';
import { PlacementDesk } from './placement-desk.js';

/** Ready while some worker can answer for some model; not before, and not while shutting down. */
@Injectable()
export class SchedulerReadiness extends Readiness {
  constructor(private readonly desk: PlacementDesk) {
    super();
  }

  override check(): ReadinessState {
    const { isClosed, fleet } = this.desk;
    if (isClosed) return { isStarted: true, isReady: false, detail: 'shutting down' };
    const isReady = fleet.canServe();
    return { isStarted: true, isReady, detail: isReady ? `workers: ${fleet.size}` : 'no worker serves a model' };
  }
}
