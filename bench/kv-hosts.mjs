import { GenerationRequest } from '#lib/contracts';
import { EngineHost } from '../dist/apps/inference/src/engine/engine-host.js';
import { onnxEngineFor } from './onnx-engine.mjs';

const TRACE = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`, tracestate: '' };

/** An engine as a worker has it, ready. */
export async function startedHost(config, logger) {
  const host = new EngineHost(await onnxEngineFor(config), logger);
  await host.prepare();
  return host;
}

/** Brings what a host's engine lacks by the worker's own fetcher. @returns what is to be called with each request's parts before it is submitted */
export function fetchingReader(host, fetcher) {
  const asked = new Map();
  const parent = { child: () => ({ set() {}, end() {}, traceContext: TRACE }) };
  host.onEvent((event) => {
    if (event.kind === 'blocks-wanted') fetcher.begin({ request: asked.get(event.generationId), parent }, event.wanted);
  });
  return (parts) => {
    const request = requestOf(host, parts);
    asked.set(request.generationId, request);
    return request;
  };
}

/** Milliseconds from submitting a request to its one token. */
export async function firstTokenMs(host, parts) {
  const request = requestOf(host, parts);
  const { generationId } = request;
  const { promise, resolve, reject } = Promise.withResolvers();
  host.onEvent((event) => {
    if (event.kind === 'step' && event.entries.some((entry) => entry.generationId === generationId))
      resolve(performance.now());
    if (event.kind === 'failed' && event.generationId === generationId) reject(new Error(event.message));
  });
  const startMs = performance.now();
  host.engine.submit(request);
  return (await promise) - startMs;
}

function requestOf(host, parts) {
  if (parts.generationId !== undefined) return parts;
  const { modelId } = host.engine.describe().model;
  return GenerationRequest.fromPartial({
    ...{ generationId: crypto.randomUUID(), modelId, ...parts },
    sampling: { temperature: 0, topP: 1, repetitionPenalty: 1, seed: 1 },
    ...{ stop: { maxTokens: 1, ignoreEos: true }, sequenceCount: 1, initialCredit: 1 },
  });
}
