import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll } from 'vitest';
import { EngineThread } from '#lib/engine';
import { compileModel, type OnnxEngineOptions, onnxEngine } from '#lib/engine-onnx';
import { ModelStore, textFiles } from '#lib/models';
import { describeEngine } from '../libs/engine/src/engine.conformance.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
/** From the build: a thread runs JavaScript, not our sources. */
const BUILT_ENTRY = new URL('../dist/libs/engine-onnx/src/engine-thread-entry.js', import.meta.url);
const golden = JSON.parse(readFileSync(join(MODEL, 'golden.json'), 'utf8')) as { cases: { prompt: number[] }[] };
const prompts = golden.cases.map(({ prompt }) => prompt).slice(1, 5);

let options: OnnxEngineOptions;
beforeAll(async () => {
  const store = new ModelStore({
    folder: mkdtempSync(join(tmpdir(), 'hydra-home-')),
    hubEndpoint: 'http://127.0.0.1:1',
  });
  const source = await store.pullModel(MODEL);
  const compiled = await compileModel({ source, weights: 'fp32', storeFolder: store.compiled.folder });
  options = {
    modelId: 'llama',
    compiledFolder: compiled.folder,
    textFiles: await textFiles(source),
    threads: 1,
    kvBytes: 8 * 1024 * 1024,
    waitingGenerations: 8,
  };
});

describeEngine('the ONNX engine', async () => ({ engine: onnxEngine(options), prompts }));
describeEngine('the ONNX engine in its thread', async () => ({
  engine: new EngineThread({ entry: BUILT_ENTRY, workerData: options, execArgv: [] }),
  prompts,
}));
