/** Loaded into a gateway before its own code, with `--expose-gc`: says over IPC where that was made which young collections did not take. */
import { Session } from 'node:inspector/promises';

/** Bytes of allocation between two samples. */
const SAMPLING_INTERVAL = 8_192;

const session = new Session();
session.connect();

process.on('message', async ({ kind }) => {
  if (kind === 'survivors-begin') {
    emptyYoungGeneration();
    const options = { samplingInterval: SAMPLING_INTERVAL, includeObjectsCollectedByMajorGC: true };
    await session.post('HeapProfiler.startSampling', options);
    process.send({ kind: `${kind}-answer` });
  }
  if (kind === 'survivors-end') {
    emptyYoungGeneration();
    const { profile } = await session.post('HeapProfiler.stopSampling');
    process.send({ kind: `${kind}-answer`, places: placesOf(profile.head) });
  }
});
process.channel?.unref();

/** What lives moves to the old generation in the second collection. */
function emptyYoungGeneration() {
  for (let i = 0; i < 2; i++) globalThis.gc({ type: 'minor' });
}

function placesOf(head) {
  const bytes = {};
  const waiting = [head];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const { functionName, url, lineNumber } = node.callFrame;
    const place = `${functionName || '(anonymous)'} ${url.split('/').slice(-3).join('/')}:${lineNumber + 1}`;
    bytes[place] = (bytes[place] ?? 0) + node.selfSize;
    waiting.push(...node.children);
  }
  return bytes;
}
