/** Reads `bytes` of memory of its own over and over, as fast as the processor can; says how many times it did. */
import { parentPort, workerData } from 'node:worker_threads';

const { bytes, milliseconds } = workerData;
const WRITTEN = 1;
const SOUGHT = 2;

const memory = Buffer.alloc(bytes, WRITTEN); // written: pages that never were are all the same one
parentPort.on('message', () => {
  const startMs = performance.now();
  let passes = 0;
  for (; performance.now() - startMs < milliseconds; passes++) {
    if (memory.indexOf(SOUGHT) !== -1) throw new Error('Memory does not hold what was written.'); // memchr: reads all of it
  }
  parentPort.postMessage({ bytesPerSecond: (passes * bytes) / ((performance.now() - startMs) / 1000) });
});
parentPort.postMessage('ready');
