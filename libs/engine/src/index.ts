export type { AdapterRoom, OpenedAdapter } from './adapters/adapter-room.js';
export {
  type AdapterOutcome,
  type AdapterRefusalReason,
  type AdapterToLoad,
  adapterRefused,
  type EngineAdapter,
} from './adapters/engine-adapter.js';
export { Turns } from './adapters/turns.js';
export { EmbeddingEngine, type EmbeddingEngineOptions } from './embedding/embedding-engine.js';
export { type EncoderLimits, EncoderRunner, type LoadedEncoder } from './embedding/encoder-runner.js';
export * from './engine.js';
export { EngineStuckError } from './engine-stuck-error.js';
export type { EnginePhase, EngineTimeline } from './engine-timeline.js';
export { IDLE_STATE } from './idle-state.js';
export { type MockEngineOptions, mockEngine } from './mock/mock-engine.js';
export { MockModelRunner, type MockModelRunnerOptions } from './mock/mock-model-runner.js';
export * from './model-runner.js';
export type { BlockExchange, BlockForm, BlockMemory } from './prefix/block-memory.js';
export type { PrefixChange } from './prefix/prefix-change.js';
export type { PromptEndMemory, SlotPositions } from './prefix/prompt-end-memory.js';
export type { StoredBlock, WantedBlocks } from './prefix/stored-block.js';
export { isRetryable } from './retryable.js';
export { InvalidLogitsError } from './sampling/largest-logit.js';
export { Sampler, type SamplerParams } from './sampling/sampler.js';
export { violations } from './step-loop/invariants.js';
export type { LoopSnapshot } from './step-loop/loop-snapshot.js';
export { MAX_SEQUENCES, UNSUPPORTED_PARAMETERS } from './step-loop/refusal.js';
export { StepLoop } from './step-loop/step-loop.js';
export { type LoadedModel, StepLoopEngine, type StepLoopEngineOptions } from './step-loop/step-loop-engine.js';
export { textFingerprint } from './text-fingerprint.js';
export { EngineThread, type EngineThreadOptions } from './thread/engine-thread.js';
export { type EnginePort, serveEngine } from './thread/serve-engine.js';
