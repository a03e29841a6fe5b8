import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Of each thread: eight times the third-level cache of the machine that it was written on. */
const BYTES = 256 * 1024 * 1024;
const MILLISECONDS = 700;

/**
 * How fast threads read memory at once, each its own: what bounds a decode of one row, which reads all weights for a token.
 * @param {number} threads
 * @returns {Promise<number>} bytes per second of all threads together
 */
export async function readBandwidth(threads) {
  const file = new URL('./read-memory-thread.mjs', import.meta.url);
  const workerData = { bytes: BYTES, milliseconds: MILLISECONDS };
  const workers = Array.from({ length: threads }, () => new Worker(file, { workerData }));
  try {
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    const answers = workers.map((worker) => once(worker, 'message'));
    for (const worker of workers) worker.postMessage('start');
    return (await Promise.all(answers)).reduce((sum, [{ bytesPerSecond }]) => sum + bytesPerSecond, 0);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
