import { Injectable } from '@nestjs/common';
import { Readiness, type ReadinessState } from '#lib/observability';
import { EngineHost } from '../engine/engine-host.js';
import { Drain } from '../lifecycle/drain.js';
import { WorkerIdentity } from '../worker-identity.js';

/** Ready while the engine can answer and the worker takes something new. */
@Injectable()
export class WorkerReadiness extends Readiness {
  constructor(
    private readonly host: EngineHost,
    private readonly drain: Drain,
    private readonly identity: WorkerIdentity,
  ) {
    super();
  }

  override check(): ReadinessState {
    const { phase } = this.host;
    const isStarted = phase !== 'preparing';
    if (this.drain.hasBegun) return { isStarted, isReady: false, detail: 'draining' };
    const isReady = phase === 'running';
    return { isStarted, isReady, detail: isReady ? `serves ${this.identity.model.id}` : `the engine is ${phase}` };
  }
}
