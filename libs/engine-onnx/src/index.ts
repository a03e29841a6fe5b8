export { type CompileOptions, type CompileProgress, compileModel } from './compile/compile-model.js';
export type { CompiledModel, CompiledModelManifest, WeightsForm } from './compiled-model.js';
export { type OnnxEngineOptions, onnxEngine, onnxEngineThread } from './onnx-engine.js';
export { KvMemoryTooSmallError, OnnxModelRunner, type OnnxModelRunnerOptions } from './onnx-model-runner.js';
export { readCompiledModel } from './read-compiled-model.js';
export type { DecoderGraph } from './runtime/decoder-graph.js';
export { OrtError } from './runtime/ort-error.js';
export { OrtLibraryError } from './runtime/ort-library.js';
export type { ExecutionProvider } from './runtime/ort-session-options.js';
