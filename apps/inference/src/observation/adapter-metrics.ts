import { Injectable } from '@nestjs/common';
import { Counter, Gauge } from 'prom-client';
import { ownedName } from '#lib/observability';
import { AdapterKeeper } from '../adapters/adapter-keeper.js';
import { WorkerIdentity } from '../worker-identity.js';

/** Which adapters are loaded, what they take, and whether loading goes well. */
@Injectable()
export class AdapterMetrics {
  constructor({ model }: WorkerIdentity, keeper: AdapterKeeper) {
    new Gauge({
      name: ownedName('hydra_worker_adapter_loaded'),
      help: '1 for each LoRA adapter that is loaded.',
      labelNames: ['model', 'adapter'],
      collect() {
        this.reset();
        for (const { adapterId } of keeper.loaded()) this.set({ model: model.id, adapter: adapterId }, 1);
      },
    });
    new Gauge({
      name: ownedName('hydra_worker_adapter_bytes'),
      help: 'Memory that all loaded LoRA adapters take, beside that for attention state.',
      labelNames: ['model'],
      collect() {
        const bytes = keeper.loaded().reduce((sum, adapter) => sum + adapter.bytes, 0);
        this.set({ model: model.id }, bytes);
      },
    });
    new Counter({
      name: ownedName('hydra_worker_adapter_loads_total'),
      help: 'LoRA adapters that were to be loaded, by outcome.',
      labelNames: ['model', 'outcome'],
      collect() {
        this.reset();
        for (const outcome of ['succeeded', 'failed'] as const)
          this.inc({ model: model.id, outcome }, keeper.loads[outcome]);
      },
    });
  }
}
