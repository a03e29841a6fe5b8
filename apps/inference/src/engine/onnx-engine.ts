import type { HydraConfig } from '#lib/config';
import type { Engine } from '#lib/engine';
import type { Logger } from '#lib/observability';
import type { WorkerIdentity } from '../worker-identity.js';

/** The embedded engine. */
export function onnxEngine(_config: HydraConfig, _identity: WorkerIdentity, _logger: Logger): Engine {
  throw new Error('The ONNX engine is not wired yet.');
}
