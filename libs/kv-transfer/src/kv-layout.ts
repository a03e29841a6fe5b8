import { hash } from 'node:crypto';
import type { KvLayout } from '#lib/contracts';

const LAYOUT_NAME_BYTES = 16;

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

/** Names the layout in 16 bytes. */
export function layoutName(layout: KvLayout): Buffer {
  return hash('sha256', layoutKey(layout), 'buffer').subarray(0, LAYOUT_NAME_BYTES);
}

export function isSameLayout(a: KvLayout | undefined, b: KvLayout | undefined): boolean {
  return a !== undefined && b !== undefined && (a === b || layoutKey(a) === layoutKey(b));
}
