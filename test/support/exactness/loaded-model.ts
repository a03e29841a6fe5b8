import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '#lib/config';
import { type CompiledModel, compileModel, OnnxModelRunner, type WeightsForm } from '#lib/engine-onnx';
import { ModelStore, textFiles } from '#lib/models';
import { TextModel, type TokenTable } from '#lib/tokens';

type RunnerOptions = Parameters<typeof OnnxModelRunner.load>[1];

/** A compiled model, and what the step loop must know of its texts. */
export interface LoadedModel {
  readonly compiled: CompiledModel;
  readonly text: { readonly table: TokenTable; readonly eosTokenIds: readonly number[] };
  readonly vocabularySize: number;
  runner(options: RunnerOptions): Promise<OnnxModelRunner>;
}

/** A tiny model of `test/data/models` by its folder's name, else one of the catalogue. */
export async function loadModel(name: string, weights: WeightsForm): Promise<LoadedModel> {
  const { storage } = loadConfig();
  const isTiny = name.startsWith('llama');
  const folder = mkdtempSync(join(tmpdir(), 'exactness-'));
  const store = new ModelStore(isTiny ? { ...storage, folder } : storage);
  const tiny = () => fileURLToPath(new URL(`../../data/models/${name}`, import.meta.url));
  const source = await store.pullModel(isTiny ? tiny() : name);
  const compiled = await compileModel({ source, weights, contextTokens: 512, storeFolder: folder });
  const { manifest, graphPath } = compiled;
  return {
    compiled,
    text: { table: TextModel.load(await textFiles(source)).table, eosTokenIds: manifest.eosTokenIds },
    vocabularySize: manifest.vocabularySize,
    runner: (options) => OnnxModelRunner.load({ ...manifest, path: graphPath }, options),
  };
}
