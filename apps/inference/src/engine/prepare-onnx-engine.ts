import { availableParallelism } from 'node:os';
import type { HydraConfig } from '#lib/config';
import type { Engine } from '#lib/engine';
import { compileForms, onnxEngineThread, usableMemoryBytes, usableTextFiles } from '#lib/engine-onnx';
import { ModelStore } from '#lib/models';
import type { Logger } from '#lib/observability';
import type { WorkerIdentity } from '../worker-identity.js';

/** Time between two lines about progress, in milliseconds. */
const PROGRESS_INTERVAL_MS = 2_000;

/** Pulls and compiles the model where that has not been done yet. Rejects with a sentence for people. */
export async function prepareOnnxEngine(
  { storage, workers }: HydraConfig,
  { model }: WorkerIdentity,
  logger: Logger,
  signal: AbortSignal,
): Promise<Engine> {
  const store = new ModelStore(storage);
  const source = await store.pullModel(model.source ?? model.id, {
    signal,
    onProgress: paced(({ phase, source: from, bytesDone, bytesTotal, bytesPerSecond }) =>
      logger.info(
        { phase, bytes_done: bytesDone, bytes_total: bytesTotal, bytes_per_second: Math.round(bytesPerSecond) },
        `pulling ${model.id} from ${from}`,
      ),
    ),
    onSourceFailed: (from, error) => logger.warn(`${from}: ${error.message}`),
  });
  const textFiles = await usableTextFiles(source);
  const { compiled, prefill } = await compileForms({
    source,
    weights: model.weights,
    prefillWeights: model.prefillWeights,
    memoryBytes: usableMemoryBytes() / workers.count,
    contextTokens: model.contextTokens,
    storeFolder: store.compiled.folder,
    signal,
    onProgress: paced(({ bytesDone, bytesTotal, weights }) =>
      logger.info({ bytes_done: bytesDone, bytes_total: bytesTotal, weights }, `compiling ${model.id}`),
    ),
  });
  return onnxEngineThread({
    modelId: model.id,
    compiledFolder: compiled.folder,
    prefillFolder: prefill?.folder,
    task: compiled.manifest.embeddingDimensions === undefined ? 'generate' : 'embed',
    numerics: model.numerics,
    textFiles,
    executionProvider: workers.device === 'cuda' ? { kind: 'cuda', deviceId: workers.deviceId } : undefined,
    threads: workers.threads ?? Math.max(1, Math.floor(availableParallelism() / workers.count)),
    kvBytes: model.kvBytes ?? workers.kvBytes,
    maxSequences: workers.maxSequences,
    prefixCache: workers.prefixCache,
    prefixEviction: workers.prefixEviction,
    prefillOrder: workers.order,
    contextTokens: model.contextTokens,
    adapters: { most: model.maxAdapters, mostRank: model.maxAdapterRank },
    waitingGenerations: workers.waitingGenerations,
    stepTimeoutMs: workers.stepTimeoutMs,
  });
}

/** Passes on what comes after a while of silence; the rest is left out. */
function paced<Progress>(report: (progress: Progress) => void): (progress: Progress) => void {
  let nextMs = performance.now() + PROGRESS_INTERVAL_MS;
  return (progress) => {
    if (performance.now() < nextMs) return;
    nextMs = performance.now() + PROGRESS_INTERVAL_MS;
    report(progress);
  };
}
