import type { HydraConfig, ModelConfig } from '#lib/config';

/** The model of each worker that `hydra up` starts. */
export function placedModels({ models, workers }: HydraConfig): ModelConfig[] {
  return models.flatMap((model) => Array<ModelConfig>(model.workers ?? workers.count).fill(model));
}
