/** The engine's thread as `onnxEngineThread` starts it, which can say how long it was busy, and with what. */
import { Session } from 'node:inspector/promises';
import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads';
import { serveEngine } from '#lib/engine';
import { onnxEngine } from '#lib/engine-onnx';
import { PROFILE_CHANNEL } from './thread-profile.mjs';

const SAMPLE_INTERVAL_US = 200;

serveEngine(onnxEngine(workerData), parentPort);

let startMs;
let utilization;
let session;
const channel = new BroadcastChannel(PROFILE_CHANNEL);
channel.onmessage = async ({ data: { kind, withProfile } }) => {
  if (kind === 'begin') {
    if (withProfile) await startSampling();
    utilization = performance.eventLoopUtilization();
    startMs = performance.now();
    channel.postMessage({ kind: 'begun' });
  } else if (kind === 'end') {
    const { active } = performance.eventLoopUtilization(utilization);
    const wallMs = performance.now() - startMs;
    const profile = session === undefined ? undefined : await stopSampling();
    channel.postMessage({ kind: 'ended', activeMs: active, wallMs, profile });
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
