import { availableParallelism } from 'node:os';
import { compileModel, onnxEngineThread } from '#lib/engine-onnx';
import { ModelStore, textFiles } from '#lib/models';

/** The embedded engine as a worker would run it with this configuration, without a platform around it. */
export async function onnxEngineFor({ models, storage, workers }) {
  const [model] = models;
  const store = new ModelStore(storage);
  const source = await store.pullModel(model.source ?? model.id);
  const { weights, contextTokens } = model;
  const compiled = await compileModel({ source, weights, contextTokens, storeFolder: store.compiled.folder });
  return onnxEngineThread({
    modelId: model.id,
    compiledFolder: compiled.folder,
    textFiles: await textFiles(source),
    threads: workers.threads ?? availableParallelism(),
    kvBytes: model.kvBytes ?? workers.kvBytes,
    contextTokens,
    waitingGenerations: workers.waitingGenerations,
  });
}
