import { z } from 'zod';
import type { PromptInput } from './call.js';
import { unknownFields } from './call-parameters.js';
import { ApiError } from './errors.js';
import { sharedFields, tokenId } from './request-fields.js';
import { invalidValue, unsupportedParameter } from './validation-error.js';
import { compileValidator } from './validator.js';

/** OpenAI's limit for one request. */
const MAX_INPUTS = 2_048;
/** Far above any encoder's context, so that the context's own error is the one seen. */
const MAX_INPUT_TOKENS = 1_048_576;

/** Body of `POST /v1/embeddings`. */
const embeddingRequestSchema = z
  .looseObject({
    model: sharedFields.model,
    input: z.union([z.string(), z.array(z.union([z.string(), tokenId, z.array(tokenId)])).max(MAX_INPUT_TOKENS)]).meta({
      description: `A text, a list of token ids, or a list (up to ${MAX_INPUTS}) of texts or of lists of token ids.`,
      examples: ['The cat sits on the mat.'],
    }),
    encoding_format: z
      .enum(['float', 'base64'])
      .nullish()
      .meta({ description: 'Numbers, or base64 of little-endian float32.', default: 'float' }),
    dimensions: z.unknown().optional().meta({ description: "Not supported. The model's own number is the only one." }),
    user: sharedFields.user,
    timeout_ms: sharedFields.timeout_ms,
  })
  .meta({ description: 'A request for embeddings. Unknown fields are accepted and ignored.' });

export const embeddingValidator = compileValidator(embeddingRequestSchema);

/** A request for embeddings after validation. */
export interface EmbeddingCall {
  /** Model id or alias, as asked. */
  readonly model: string;
  readonly inputs: readonly PromptInput[];
  readonly encoding: 'float' | 'base64';
  readonly user: string | undefined;
  /** Most time from arrival to the answer, in milliseconds. */
  readonly timeoutMs: number | undefined;
  readonly unknownFields: readonly string[];
}

/** @throws ApiError that names the parameter */
export function parseEmbeddingRequest(body: unknown): EmbeddingCall {
  const request = embeddingValidator.validate(body);
  if (request.dimensions !== undefined && request.dimensions !== null) {
    throw unsupportedParameter('dimensions', "Vectors have the model's own number of dimensions; leave it out.");
  }
  return {
    model: request.model.toWellFormed(),
    inputs: toInputs(request.input),
    encoding: request.encoding_format ?? 'float',
    user: (request.user ?? '').toWellFormed() || undefined,
    timeoutMs: request.timeout_ms ?? undefined,
    unknownFields: unknownFields(request, embeddingValidator.fields),
  };
}

function toInputs(input: z.infer<typeof embeddingRequestSchema>['input']): PromptInput[] {
  if (typeof input === 'string') return [toInput(input, 'input')];
  if (input.length === 0) throw empty('input');
  if (typeof input[0] === 'number') {
    const stranger = input.findIndex((item) => typeof item !== 'number');
    if (stranger !== -1) throw mixed(stranger);
    return [toInput(input as readonly number[], 'input')]; // just checked
  }
  if (input.length > MAX_INPUTS) {
    throw invalidValue('input', `expected at most ${MAX_INPUTS} inputs, but got ${input.length}`);
  }
  return input.map((item, index) => {
    if (typeof item === 'number') throw mixed(index);
    return toInput(item, `input[${index}]`);
  });
}

function toInput(input: string | readonly number[], param: string): PromptInput {
  if (input.length === 0) throw empty(param);
  return typeof input === 'string'
    ? { kind: 'text', text: input.toWellFormed(), param }
    : { kind: 'token-ids', tokenIds: input, param };
}

function empty(param: string): ApiError {
  return invalidValue(param, 'the input must not be empty');
}

function mixed(index: number): ApiError {
  const message = `Invalid type for 'input[${index}]': an input of token ids holds nothing but token ids.`;
  return new ApiError('invalid_type', message, { param: `input[${index}]` });
}
