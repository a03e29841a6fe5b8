/** The configured model in the embedded engine, in this process: prints memory and speed as JSON. */
import { loadConfig } from '#lib/config';
import { onnxEngineThread } from '#lib/engine-onnx';
import { modelConfig } from '#lib/models';
import { EngineStreams } from '../engine/engine-streams.mjs';
import { bytesOfStep } from '../engine/step-bytes.mjs';
import { jointRate } from '../engine/stream-rate.mjs';
import { engineOptionsFor } from '../onnx-engine.mjs';
import { residentSet } from '../resident-set.mjs';

const DECODE_STEPS = 16;
const WARM_UP_TOKENS = 2;
const DECODE_PROMPT_TOKENS = 16;
const BATCHES = [1, 8];
const PREFILL_TOKENS = 256;
const PREFILLS = 2;

const { source, compiled, options } = await engineOptionsFor(loadConfig());
const before = residentSet(process.pid);
const startMs = performance.now();
const engine = onnxEngineThread(options);
await engine.start(new AbortController().signal);
const loadSeconds = (performance.now() - startMs) / 1000;
const loaded = residentSet(process.pid);
const streams = new EngineStreams(engine);
const { vocabularySize, kvBytesPerToken } = engine.describe().model;

const decode = {};
for (const batch of BATCHES) decode[batch] = { tokensPerSecond: await decodeRate(batch) };
const prefill = { [PREFILL_TOKENS]: { tokensPerSecond: await prefillRate() } };
const used = residentSet(process.pid);
await engine.stop();
console.log(
  JSON.stringify({
    load: { seconds: loadSeconds, beforeBytes: before.bytes, afterBytes: loaded.bytes, ownBytes: loaded.ownBytes },
    resident: { peakBytes: used.peakBytes, ownBytes: used.ownBytes, fileBytes: used.fileBytes },
    weightsBytes: compiled.manifest.weightsBytes,
    weightBytesPerStep: bytesOfStep(compiled.manifest, await modelConfig(source), 0),
    kvBytesPerToken,
    decodeContextTokens: DECODE_PROMPT_TOKENS + WARM_UP_TOKENS + DECODE_STEPS / 2,
    decode,
    prefill,
  }),
);

/** Ids that mean nothing, like the weights: any will do. */
function prompt(tokens, seed) {
  return Array.from({ length: tokens }, (_, i) => (seed * 7919 + i * 104_729) % vocabularySize);
}

async function decodeRate(batch) {
  const maxTokens = 1 + WARM_UP_TOKENS + DECODE_STEPS;
  const opened = [];
  for (let i = 0; i < batch; i++) {
    opened.push(streams.open({ promptTokenIds: prompt(DECODE_PROMPT_TOKENS, batch + i), maxTokens, credit: 1 }));
  }
  for (const stream of opened) await stream.hasStarted;
  for (const { id } of opened) engine.credit(id, maxTokens - 1);
  for (const stream of opened) await stream.hasEnded;
  return jointRate(
    opened.map(({ arrivals }) => arrivals),
    1 + WARM_UP_TOKENS,
  );
}

async function prefillRate() {
  let seconds = 0;
  for (let i = 0; i < PREFILLS; i++) {
    const stream = streams.open({ promptTokenIds: prompt(PREFILL_TOKENS, 100 + i), maxTokens: 1 });
    await stream.hasEnded;
    seconds += (stream.arrivals[0] - stream.startMs) / 1000;
  }
  return (PREFILLS * PREFILL_TOKENS) / seconds;
}
