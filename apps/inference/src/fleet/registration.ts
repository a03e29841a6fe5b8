import { type Registration, WorkerRole } from '#lib/contracts';
import type { EngineAdapter, EngineDescription } from '#lib/engine';
import { layoutName } from '#lib/kv-transfer';
import { ChatTemplates } from '#lib/tokens';
import { kvLayoutOf } from '../kv/kv-layout-of.js';
import type { WorkerIdentity } from '../worker-identity.js';
import type { DeviceMeter } from './device-meter.js';
import { samplingDefaultsOf } from './sampling-defaults.js';

/** Under which target it is reached, and what it does about KV blocks of others. */
export interface WorkerReach {
  readonly target: string;
  readonly sharesKv: boolean;
  readonly alwaysAsksCaches: boolean;
}

/** How this worker introduces itself. One process computes the whole model, so nothing is split. */
export function registrationOf(
  { workerId, epoch, model: configured }: WorkerIdentity,
  description: EngineDescription,
  meter: DeviceMeter,
  { target, sharesKv, alwaysAsksCaches }: WorkerReach,
  adapters: readonly EngineAdapter[],
  version: string,
): Registration {
  const { engine, model, textFiles } = description;
  const layout = sharesKv ? kvLayoutOf(description) : undefined;
  return {
    workerId,
    workerEpoch: epoch,
    target,
    role: WorkerRole.UNIFIED,
    engine,
    version,
    devices: meter.devices(),
    tensorParallelSize: 1,
    pipelineParallelSize: 1,
    models: [
      {
        ...{ ...model, tasks: tasksOf(description), samplingDefaults: samplingDefaultsOf(configured, textFiles) },
        kvLayout: layout === undefined ? Buffer.alloc(0) : layoutName(layout),
      },
    ],
    adapters: adapters.map((adapter) => ({ ...adapter, modelId: model.modelId })),
    kvTarget: layout === undefined ? '' : target,
    labels: {},
    alwaysAsksCaches,
  };
}

/** What the engine does, and `chat` when the model's text files have a template for it. */
function tasksOf({ model: { tasks }, textFiles }: EngineDescription): string[] {
  const canChat = tasks.includes('generate') && ChatTemplates.fromFiles(textFiles) !== undefined;
  return canChat ? [...tasks, 'chat'] : tasks;
}
