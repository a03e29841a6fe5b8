import type { WorkerView } from '../worker-view.js';

/** How long a prompt stays in the caches of these workers, on average; undefined while none of them knows. */
export function meanRetentionMs(workers: readonly WorkerView[], nowMs: number): number | undefined {
  let sumMs = 0;
  let count = 0;
  for (const { mirror } of workers) {
    const retentionMs = mirror.retentionMs(nowMs);
    if (retentionMs === undefined) continue;
    sumMs += retentionMs;
    count++;
  }
  return count === 0 ? undefined : sumMs / count;
}
