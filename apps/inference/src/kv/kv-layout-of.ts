import type { KvLayout } from '#lib/contracts';
import type { EngineDescription } from '#lib/engine';

/** What the blocks of an engine mean; undefined when none leave it. One process computes the whole model, so nothing is split. */
export function kvLayoutOf({ blocks, model }: EngineDescription): KvLayout | undefined {
  if (blocks === undefined) return undefined;
  const { dtype, axes, kernels } = blocks;
  return {
    modelFingerprint: model.modelFingerprint,
    adapterVersion: '',
    ...{ dtype, axes, kernels },
    tensorParallelRank: 0,
    tensorParallelSize: 1,
    pipelineParallelRank: 0,
    pipelineParallelSize: 1,
    blockTokens: model.blockTokens,
  };
}
