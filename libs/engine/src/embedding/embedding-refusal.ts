import { FailureCode } from '#lib/contracts';
import type { EmbeddingRequest, EngineRefusal } from '../engine.js';
import { refused } from '../step-loop/refusal.js';
import type { LoadedEncoder } from './encoder-runner.js';

/** Most inputs of one request: OpenAI's limit. */
const MAX_EMBEDDING_INPUTS = 2_048;

/** What is wrong with a request; the worker is the authority, whatever the gateway has looked at. */
export function invalidityOf(
  { modelId, inputs }: EmbeddingRequest,
  { description, runner }: LoadedEncoder,
): EngineRefusal | undefined {
  const { contextTokens, vocabularySize } = runner.limits;
  if (modelId !== description.model.modelId) {
    return refused(FailureCode.UNKNOWN_MODEL, `This worker does not serve the model ${modelId}.`, 'model');
  }
  if (inputs.length < 1 || inputs.length > MAX_EMBEDDING_INPUTS) {
    const message = `expected 1 to ${MAX_EMBEDDING_INPUTS} inputs, but got ${inputs.length}`;
    return refused(FailureCode.INVALID_REQUEST, message, 'input');
  }
  for (const [index, { length }] of inputs.entries()) {
    if (length >= 1 && length <= contextTokens) continue;
    const message = `expected 1 to ${contextTokens} tokens, but got ${length}`;
    return refused(FailureCode.INVALID_REQUEST, message, `input[${index}]`);
  }
  const isToken = (id: number) => Number.isInteger(id) && id >= 0 && id < vocabularySize;
  const stranger = inputs.findIndex((tokenIds) => !tokenIds.every(isToken));
  if (stranger !== -1) {
    const message = `a token id is outside the model's vocabulary of ${vocabularySize} tokens`;
    return refused(FailureCode.INVALID_REQUEST, message, `input[${stranger}]`);
  }
  return undefined;
}

/** The model's own numbers overflow on this input; those it shared a batch with are not touched. */
export function notFinite(index: number): EngineRefusal {
  return refused(FailureCode.ENGINE_ERROR, `The encoder gave a vector that is not finite for input ${index}.`);
}
