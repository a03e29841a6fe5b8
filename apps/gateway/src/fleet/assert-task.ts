import type { ServedModel } from '#lib/contracts';
import { ApiError } from '#lib/openai';

/** @throws ApiError invalid_value when the model does something else; workers that say nothing generate */
export function assertTask({ modelId, tasks }: ServedModel, task: 'generate' | 'embed'): void {
  const able = tasks.length === 0 ? ['generate'] : tasks;
  if (able.includes(task)) return;
  const message =
    task === 'embed'
      ? `The model '${modelId}' generates text and makes no embeddings.`
      : `The model '${modelId}' makes embeddings and cannot generate text: use /v1/embeddings.`;
  throw new ApiError('invalid_value', message, { param: 'model' });
}
