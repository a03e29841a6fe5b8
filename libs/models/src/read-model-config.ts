import { modelConfigOfFolder } from './folder-model-config.js';
import { modelConfigOfGguf } from './gguf-model-config.js';
import type { ModelConfig } from './model-config.js';
import type { ResolvedModel } from './resolved-model.js';

/**
 * Reads the shape of a model.
 * @throws UnsupportedModelError when a field is missing or of a kind we do not know
 */
export function modelConfig(model: ResolvedModel): Promise<ModelConfig> {
  return model.kind === 'gguf' ? modelConfigOfGguf(model.ggufPath) : modelConfigOfFolder(model.folder);
}
