import type { ServedModel } from '#lib/contracts';
import { ApiError, type ModelCapability } from '#lib/openai';

const CAPABILITIES: Readonly<Record<string, ModelCapability>> = {
  generate: 'completion',
  chat: 'chat',
  embed: 'embedding',
};

/** @throws ApiError invalid_value when the model does something else */
export function assertTask(model: ServedModel, task: 'generate' | 'embed'): void {
  if (tasksOf(model).includes(task)) return;
  const message =
    task === 'embed'
      ? `The model '${model.modelId}' generates text and makes no embeddings.`
      : `The model '${model.modelId}' makes embeddings and cannot generate text: use /v1/embeddings.`;
  throw new ApiError('invalid_value', message, { param: 'model' });
}

/** In the words of the public API; tasks that this gateway does not know are left out. */
export function capabilitiesOf(model: ServedModel): ModelCapability[] {
  return tasksOf(model).flatMap((task) => CAPABILITIES[task] ?? []);
}

/** Workers that say nothing generate. */
function tasksOf({ tasks }: ServedModel): readonly string[] {
  return tasks.length === 0 ? ['generate'] : tasks;
}
