import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** Far more than the caches hold, for each thread twice. */
const BUFFER_BYTES = 256 << 20;
const ROUNDS = 8;

/**
 * What all cores together read from memory, in bytes per second: each compares two equal buffers of its own, which is the C library's
 * vectorized loop over both. The best of some rounds, since others only ever make it less.
 */
export async function memoryBandwidth(threads = availableParallelism()) {
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL('./memory-reader.mjs', import.meta.url), { workerData: BUFFER_BYTES }),
  );
  const all = (message) =>
    Promise.all(
      workers.map((worker) => {
        const { promise, resolve, reject } = Promise.withResolvers();
        worker.once('message', resolve);
        worker.once('error', reject);
        worker.postMessage(message);
        return promise;
      }),
    );
  await all('prepare');
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now();
    await all('read');
    const seconds = (performance.now() - startMs) / 1000;
    best = Math.max(best, (threads * 2 * BUFFER_BYTES) / seconds);
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  return best;
}
