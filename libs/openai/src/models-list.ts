import type { publicApi } from '#lib/contracts';

/** What a model can be asked for. */
export const MODEL_CAPABILITIES = ['completion', 'chat', 'embedding'] as const;
export type ModelCapability = (typeof MODEL_CAPABILITIES)[number];

/** A model or alias that can be asked for. */
export interface ListedModel {
  readonly id: string;
  /** Seconds since the Unix epoch. */
  readonly created: number;
  /** The model behind an alias or adapter; absent for a model itself. */
  readonly parent?: string;
  /** Most tokens of prompt and output together. */
  readonly contextTokens: number;
  readonly capabilities: readonly ModelCapability[];
}

/** We serve them; who made them stands in the model's own files. */
const OWNER = 'hydraserve';

/** Body of `GET /v1/models/{id}`: OpenAI's fields, vLLM's `root`, `parent` and `max_model_len`, and `capabilities`. */
export function modelBody(model: ListedModel) {
  return {
    id: model.id,
    object: 'model' as const,
    created: model.created,
    owned_by: OWNER,
    root: model.parent ?? model.id,
    parent: model.parent ?? null,
    max_model_len: model.contextTokens,
    capabilities: model.capabilities,
  };
}

/** Body of `GET /v1/models`. */
export function modelListBody(models: readonly ListedModel[]) {
  return { object: 'list' as const, data: models.map(modelBody) };
}

export function toGrpcModel(model: ListedModel): publicApi.Model {
  const { id, created, parent, contextTokens, capabilities } = model;
  return { id, created, ownedBy: OWNER, parent: parent ?? '', contextTokens, capabilities: [...capabilities] };
}
