import { type Registration, WorkerRole } from '#lib/contracts';
import type { EngineDescription } from '#lib/engine';
import type { WorkerIdentity } from '../worker-identity.js';
import type { DeviceMeter } from './device-meter.js';
import { samplingDefaultsOf } from './sampling-defaults.js';

/** How this worker introduces itself. One process computes the whole model, so nothing is split. */
export function registrationOf(
  { workerId, epoch, model: configured }: WorkerIdentity,
  { engine, model, textFiles }: EngineDescription,
  meter: DeviceMeter,
  target: string,
  version: string,
): Registration {
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
    models: [{ ...model, samplingDefaults: samplingDefaultsOf(configured, textFiles) }],
    adapters: [],
    kvTarget: '',
    labels: {},
  };
}
