import { architectureOfFolder, modelConfigOfFolder } from './folder-model-config.js';
import { architectureOfGguf, modelConfigOfGguf } from './gguf-model-config.js';
import type { ModelConfig } from './model-config.js';
import type { ResolvedModel } from './resolved-model.js';

/** What `config.json` or the metadata call the architecture; `undefined` when they do not say. */
export async function architectureName(model: ResolvedModel): Promise<string | undefined> {
  return model.kind === 'gguf' ? architectureOfGguf(model.ggufPath) : architectureOfFolder(model.folder);
}

/**
 * Reads the shape of a model.
 * @throws UnsupportedModelError when a field is missing or of a kind we do not know
 */
export function modelConfig(model: ResolvedModel): Promise<ModelConfig> {
  return model.kind === 'gguf' ? modelConfigOfGguf(model.ggufPath) : modelConfigOfFolder(model.folder);
}
