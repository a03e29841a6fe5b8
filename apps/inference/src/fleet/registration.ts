import { type Registration, WorkerRole } from '#lib/contracts';
import type { EngineAdapter, EngineDescription } from '#lib/engine';
import { ChatTemplates } from '#lib/tokens';
import type { WorkerIdentity } from '../worker-identity.js';
import type { DeviceMeter } from './device-meter.js';
import { samplingDefaultsOf } from './sampling-defaults.js';

/** How this worker introduces itself. One process computes the whole model, so nothing is split. */
export function registrationOf(
  { workerId, epoch, model: configured }: WorkerIdentity,
  description: EngineDescription,
  meter: DeviceMeter,
  { target, sharesKv }: { readonly target: string; readonly sharesKv: boolean },
  adapters: readonly EngineAdapter[],
  version: string,
): Registration {
  const { engine, model, textFiles } = description;
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
    models: [{ ...model, tasks: tasksOf(description), samplingDefaults: samplingDefaultsOf(configured, textFiles) }],
    adapters: adapters.map((adapter) => ({ ...adapter, modelId: model.modelId })),
    kvTarget: sharesKv && description.blocks !== undefined ? target : '',
    labels: {},
  };
}

/** What the engine does, and `chat` when the model's text files have a template for it. */
function tasksOf({ model: { tasks }, textFiles }: EngineDescription): string[] {
  const canChat = tasks.includes('generate') && ChatTemplates.fromFiles(textFiles) !== undefined;
  return canChat ? [...tasks, 'chat'] : tasks;
}
