import type { EngineState } from '../engine.js';
import type { ModelRunnerLimits } from '../model-runner.js';
import type { GenerationSet } from './generation-set.js';

type Load = Pick<
  EngineState,
  | 'runningGenerations'
  | 'waitingGenerations'
  | 'pendingPrefillTokens'
  | 'kvUsedBytes'
  | 'kvCachedBytes'
  | 'kvTotalBytes'
>;

/** How much the loop has to do, and what of its memory is taken. @param keptKvTokens  memory of prefixes, in tokens */
export function loadOf(
  { kvBytesPerToken, kvTotalBytes }: ModelRunnerLimits,
  generations: GenerationSet,
  keptKvTokens: number,
): Load {
  const { live, waiting, size } = generations;
  const sequences = generations.all().flatMap((generation) => generation.sequences);
  return {
    runningGenerations: size - waiting.length,
    waitingGenerations: waiting.length,
    pendingPrefillTokens: sequences.reduce((sum, { pendingPrefillTokens }) => sum + pendingPrefillTokens, 0),
    kvUsedBytes: live.reduce((sum, { kvTokens }) => sum + kvTokens, 0) * kvBytesPerToken,
    kvCachedBytes: keptKvTokens * kvBytesPerToken,
    kvTotalBytes,
  };
}
