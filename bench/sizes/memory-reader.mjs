/** A thread of `memoryBandwidth`: answers each message when it has done it. */
import { parentPort, workerData } from 'node:worker_threads';

let buffers;
parentPort.on('message', (message) => {
  if (message === 'prepare') buffers = [1, 1].map((value) => Buffer.alloc(workerData, value));
  else if (!buffers[0].equals(buffers[1])) throw new Error('Memory does not hold what was written.');
  parentPort.postMessage('done');
});
