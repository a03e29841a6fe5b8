import type { HydraConfig } from '#lib/config';
import { type Engine, mockEngine } from '#lib/engine';
import type { Logger } from '#lib/observability';
import type { WorkerIdentity } from '../worker-identity.js';
import { PreparedEngine } from './prepared-engine.js';

/** The engine that the configuration names. Its model is prepared when it is started. */
export function createEngine(config: HydraConfig, identity: WorkerIdentity, logger: Logger): Engine {
  switch (config.engine) {
    case 'mock':
      return mockEngine({
        ...config.mock,
        modelId: identity.model.id,
        maxAdapters: identity.model.maxAdapters,
        waitingGenerations: config.workers.waitingGenerations,
        prefixEviction: config.workers.prefixEviction,
        prefillOrder: config.workers.order,
      });
    case 'onnx':
      return new PreparedEngine(async (signal) => {
        // Loaded when it is used: a worker of another engine need not load the runtime's libraries.
        const { prepareOnnxEngine } = await import('./prepare-onnx-engine.js');
        return prepareOnnxEngine(config, identity, logger, signal);
      });
    default:
      return config.engine satisfies never;
  }
}
