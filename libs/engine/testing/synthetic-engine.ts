import { syntheticTextFiles } from '#lib/tokens';
import type { ModelRunner } from '../src/model-runner.js';
import { UNSUPPORTED_PARAMETERS } from '../src/step-loop/refusal.js';
import { StepLoopEngine } from '../src/step-loop/step-loop-engine.js';
import { textFingerprint } from '../src/text-fingerprint.js';

/** An engine over a runner that a test makes, for the model `model`. */
export function syntheticEngine(createRunner: () => ModelRunner, waitingGenerations = 8): StepLoopEngine {
  const textFiles = syntheticTextFiles();
  return new StepLoopEngine({
    waitingGenerations,
    load: async () => {
      const runner = createRunner();
      const { contextTokens, vocabularySize, kvBytesPerToken, slots, chunkTokens } = runner.limits;
      return {
        runner,
        description: {
          engine: 'synthetic',
          textFiles,
          model: {
            modelId: 'model',
            modelFingerprint: '0'.repeat(64),
            textFingerprint: textFingerprint(textFiles),
            contextTokens,
            blockTokens: runner.blocks?.blockTokens ?? 16,
            vocabularySize,
            numerics: 'exact',
            weights: 'fp32',
            kvBytesPerToken,
            maxRunningSequences: slots,
            unsupportedParameters: [...UNSUPPORTED_PARAMETERS],
            createdUnixS: 0,
            tasks: ['generate'],
            stepTokenBudget: chunkTokens,
          },
        },
      };
    },
  });
}
