export { type CompileOptions, type CompileProgress, compileModel, readCompiledModel } from './compile/compile-model.js';
export type { CompiledModel, CompiledModelManifest, WeightsForm } from './compiled-model.js';
