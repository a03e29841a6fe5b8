import { createHash } from 'node:crypto';
import type { Eviction } from '#lib/kv';
import { syntheticTextFiles, TokenTable } from '#lib/tokens';
import { UNSUPPORTED_PARAMETERS } from '../step-loop/refusal.js';
import { StepLoopEngine, type StepLoopEngineOptions } from '../step-loop/step-loop-engine.js';
import { textFingerprint } from '../text-fingerprint.js';
import {
  MOCK_BLOCK_TOKENS,
  MOCK_KV_BYTES_PER_TOKEN,
  MockModelRunner,
  type MockModelRunnerOptions,
} from './mock-model-runner.js';

export interface MockEngineOptions extends MockModelRunnerOptions {
  /** Id under which it is asked for. */
  readonly modelId: string;
  readonly waitingGenerations: number;
  /** Which kept prefixes go first. Default `lru`. */
  readonly prefixEviction?: Eviction;
  /** In which order prompts are computed. Default `fifo`. */
  readonly prefillOrder?: StepLoopEngineOptions['prefillOrder'];
}

/** The whole engine without a model: same loop, same protocol, byte-level tokens. */
export function mockEngine(options: MockEngineOptions): StepLoopEngine {
  const { modelId, waitingGenerations, prefixEviction, prefillOrder } = options;
  return new StepLoopEngine({
    waitingGenerations,
    prefixEviction,
    prefillOrder,
    load: async () => {
      const textFiles = syntheticTextFiles();
      const { size: vocabularySize, eosTokenId } = TokenTable.fromFiles(textFiles);
      const runner = new MockModelRunner(options, vocabularySize, eosTokenId!); // these files name one
      return {
        runner,
        description: {
          engine: 'mock',
          textFiles,
          model: {
            modelId,
            modelFingerprint: createHash('sha256').update('mock').digest('hex'),
            textFingerprint: textFingerprint(textFiles),
            contextTokens: options.contextTokens,
            blockTokens: MOCK_BLOCK_TOKENS,
            vocabularySize,
            numerics: 'exact',
            weights: 'fp32',
            kvBytesPerToken: MOCK_KV_BYTES_PER_TOKEN,
            maxRunningSequences: options.slots,
            unsupportedParameters: [...UNSUPPORTED_PARAMETERS],
            createdUnixS: 0,
            tasks: ['generate'],
            stepTokenBudget: runner.limits.chunkTokens,
          },
        },
      };
    },
  });
}
