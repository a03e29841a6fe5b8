import { Injectable } from '@nestjs/common';
import { Counter, Gauge, register } from 'prom-client';
import { EngineHost } from '../engine/engine-host.js';
import { WorkerIdentity } from '../worker-identity.js';

/** Whether the engine runs, and how often it had to be started: a crash loop is a rising count of losses or failed starts. */
@Injectable()
export class EngineMetrics {
  constructor({ model }: WorkerIdentity, host: EngineHost) {
    const labels = { model: model.id };
    for (const name of [UP, LOSSES, STARTS]) register.removeSingleMetric(name); // of an earlier app in this process
    new Gauge({
      name: UP,
      help: 'Whether the engine can answer: 1, else 0.',
      labelNames: ['model'],
      collect() {
        this.set(labels, host.phase === 'running' ? 1 : 0);
      },
    });
    new Counter({
      name: LOSSES,
      help: 'Times that the running engine broke or hung.',
      labelNames: ['model'],
      collect() {
        this.reset();
        this.inc(labels, host.losses);
      },
    });
    new Counter({
      name: STARTS,
      help: 'Starts of the engine, the first one included, by outcome.',
      labelNames: ['model', 'outcome'],
      collect() {
        this.reset();
        for (const outcome of ['succeeded', 'failed'] as const) this.inc({ ...labels, outcome }, host.starts[outcome]);
      },
    });
  }
}

const UP = 'hydra_worker_engine_up';
const LOSSES = 'hydra_worker_engine_losses_total';
const STARTS = 'hydra_worker_engine_starts_total';
