export { type CompiledModel, CompiledModelStore, type CreateOptions } from './compiled-model-store.js';
export * from './errors.js';
export { FileLock, type LockHolder } from './file-lock.js';
export { GgufHeader } from './gguf-header.js';
export type { ModelConfig, RopeScaling } from './model-config.js';
export { modelConfig } from './read-model-config.js';
export type { ResolvedModel } from './resolved-model.js';
