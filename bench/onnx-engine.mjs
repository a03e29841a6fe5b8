import { availableParallelism } from 'node:os';
import { compileForms, onnxEngineThread, usableMemoryBytes } from '#lib/engine-onnx';
import { ModelStore, textFiles } from '#lib/models';

/** The embedded engine as a worker would run it with this configuration, without a platform around it. */
export async function onnxEngineFor(config) {
  return onnxEngineThread((await engineOptionsFor(config)).options);
}

/** What a worker gives its engine with this configuration, the model's files, and what they were compiled to. */
export async function engineOptionsFor({ models, storage, workers }) {
  const [model] = models;
  const store = new ModelStore(storage);
  const source = await store.pullModel(model.source ?? model.id);
  const { weights, prefillWeights, contextTokens } = model;
  const { compiled, prefill } = await compileForms({
    source,
    weights,
    prefillWeights,
    memoryBytes: usableMemoryBytes() / workers.count,
    contextTokens,
    storeFolder: store.compiled.folder,
  });
  const options = {
    modelId: model.id,
    compiledFolder: compiled.folder,
    prefillFolder: prefill?.folder,
    textFiles: await textFiles(source),
    threads: workers.threads ?? Math.max(1, Math.floor(availableParallelism() / workers.count)),
    kvBytes: model.kvBytes ?? workers.kvBytes,
    maxSequences: workers.maxSequences,
    contextTokens,
    prefixCache: workers.prefixCache,
    waitingGenerations: workers.waitingGenerations,
    stepTimeoutMs: workers.stepTimeoutMs,
  };
  return { source, compiled, prefill, options };
}
