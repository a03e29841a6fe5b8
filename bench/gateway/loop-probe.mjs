/** Loaded into a gateway before its own code: says over IPC how long its event loop was held at most, and collects garbage (with `--expose-gc`). */
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 1;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

process.on('message', ({ kind }) => {
  if (kind === 'loop-begin') {
    delay.reset();
    delay.enable();
  }
  if (kind === 'loop-end') delay.disable();
  if (kind === 'collect') {
    globalThis.gc();
    process.send({ kind: 'collect-answer' });
  }
  if (!kind.startsWith('loop-')) return;
  // A timer that is on time is late by its own resolution.
  const heldMs = Math.max(0, delay.max / 1e6 - RESOLUTION_MS);
  process.send({ kind: `${kind}-answer`, heldMs });
});
process.channel?.unref();
