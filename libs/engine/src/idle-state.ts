import type { EngineState } from './engine.js';

/** The state of an engine that has done nothing. */
export const IDLE_STATE: EngineState = {
  runningGenerations: 0,
  waitingGenerations: 0,
  pendingPrefillTokens: 0,
  kvUsedBytes: 0,
  kvCachedBytes: 0,
  kvTotalBytes: 0,
  steps: 0,
  generatedTokens: 0,
  computedPromptTokens: 0,
  cachedPromptTokens: 0,
  queriedPromptTokens: 0,
  evictedPrefixBlocks: 0,
  preemptions: 0,
  stepUs: 0,
  modelUs: 0,
  isStepping: false,
};
