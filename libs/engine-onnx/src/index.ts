export { KvMemoryUnavailableError } from './allocate-kv.js';
export { hasByteProducts } from './byte-products.js';
export {
  type CompiledForms,
  type CompileFormsOptions,
  compileForms,
  PrefillFormError,
  type PrefillWeights,
} from './compile/compile-forms.js';
export { type CompileOptions, type CompileProgress, compileModel } from './compile/compile-model.js';
export type { CompiledModel, CompiledModelManifest, Numerics, WeightsForm } from './compiled-model.js';
export { OnnxEncoderRunner, type OnnxEncoderRunnerOptions } from './onnx-encoder-runner.js';
export { type OnnxEngineOptions, onnxEngine, onnxEngineThread } from './onnx-engine.js';
export { OnnxModelRunner } from './onnx-model-runner.js';
export { adapterGraphOf, readCompiledModel } from './read-compiled-model.js';
export { KvMemoryTooSmallError, type OnnxModelRunnerOptions } from './runner-limits.js';
export type { DecoderGraph } from './runtime/decoder-graph.js';
export { OrtError } from './runtime/ort-error.js';
export { OrtLibraryError } from './runtime/ort-library.js';
export type { ExecutionProvider } from './runtime/ort-session-options.js';
export { usableMemoryBytes } from './usable-memory.js';
export { usableTextFiles } from './usable-text-files.js';
