export { AdapterError } from './adapter/adapter-error.js';
export { type LoraPair, PeftAdapter } from './adapter/peft-adapter.js';
export {
  CATALOGUE,
  type CatalogueEntry,
  type CatalogueSource,
  findInCatalogue,
  type RecommendedSampling,
} from './catalogue.js';
export {
  Checkpoint,
  CheckpointError,
  MissingTensorError,
  rowsOf,
  type TensorDtype,
  type TensorInfo,
} from './checkpoint/checkpoint.js';
export { BLOCK_ELEMENTS, type QuantizedBlocks, rowBytes, toBlocks, toFloats } from './checkpoint/element-codecs.js';
export { GgufCheckpoint } from './checkpoint/gguf-checkpoint.js';
export { SafetensorsCheckpoint } from './checkpoint/safetensors-checkpoint.js';
export {
  type CompiledFrom,
  type CompiledModel,
  CompiledModelStore,
  type CreateOptions,
} from './compiled-model-store.js';
export * from './errors.js';
export { FileLock, type FileLockOptions, type LockHolder } from './file-lock.js';
export { GgufHeader } from './gguf-header.js';
export type { EncoderShape, ModelConfig, Pooling, RopeScaling } from './model-config.js';
export { type ModelReference, parseModelName } from './model-name.js';
export {
  type ListedModel,
  ModelStore,
  type ModelStoreOptions,
  type Pruned,
  type PruneOptions,
  type PullOptions,
} from './model-store.js';
export type { PullProgress } from './net/progress-meter.js';
export type { RetryPolicy } from './net/retry.js';
export { architectureName, modelConfig } from './read-model-config.js';
export type { ResolvedModel } from './resolved-model.js';
export { textFiles } from './text/text-files.js';
