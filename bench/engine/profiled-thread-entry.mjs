/** The engine's thread as `onnxEngineThread` starts it, which can say what it was busy with. */
import { Session } from 'node:inspector/promises';
import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads';
import { serveEngine } from '#lib/engine';
import { onnxEngine } from '#lib/engine-onnx';
import { PROFILE_CHANNEL } from './thread-profile.mjs';

const SAMPLE_INTERVAL_US = 200;

serveEngine(onnxEngine(workerData), parentPort);

let session;
const channel = new BroadcastChannel(PROFILE_CHANNEL);
channel.onmessage = async ({ data: { kind } }) => {
  if (kind === 'begin') {
    await startSampling();
    channel.postMessage({ kind: 'begun' });
  } else if (kind === 'end') {
    channel.postMessage({ kind: 'ended', profile: await stopSampling() });
  }
};

async function startSampling() {
  session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_INTERVAL_US });
  await session.post('Profiler.start');
}

async function stopSampling() {
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  session = undefined;
  return profile;
}
