import { Injectable } from '@nestjs/common';
import type { Readiness, ReadinessState } from '#lib/observability';
import { AdmissionGate } from '../completion/admission-gate.js';
import { ModelDirectory } from '../fleet/model-directory.js';

/** The gateway is ready when a model can answer: a worker is connected and the model's tokenizer is loaded. */
@Injectable()
export class GatewayReadiness implements Readiness {
  private isStarted = false;

  constructor(
    private readonly models: ModelDirectory,
    private readonly gate: AdmissionGate,
  ) {}

  check(): ReadinessState {
    if (this.gate.isLeaving) return { isStarted: true, isReady: false, detail: 'shutting down' };
    const ready = this.models.answerable();
    this.isStarted ||= ready.length > 0;
    if (ready.length > 0) return { isStarted: true, isReady: true, detail: `serves ${ready.join(', ')}` };
    return { isStarted: this.isStarted, isReady: false, detail: this.models.whyNothingAnswers() };
  }
}
