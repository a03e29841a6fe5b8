import type { KvLayout } from '#lib/contracts';

/** One text for each layout: equal for equal layouts only. */
export function layoutKey(layout: KvLayout): string {
  return JSON.stringify([
    layout.modelFingerprint,
    layout.adapterVersion,
    layout.dtype,
    layout.axes,
    layout.tensorParallelRank,
    layout.tensorParallelSize,
    layout.pipelineParallelRank,
    layout.pipelineParallelSize,
    layout.blockTokens,
    layout.kernels,
  ]);
}

export function isSameLayout(a: KvLayout | undefined, b: KvLayout | undefined): boolean {
  return a !== undefined && b !== undefined && (a === b || layoutKey(a) === layoutKey(b));
}
