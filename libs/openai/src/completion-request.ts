import { z } from 'zod';
import type { CompletionCall, PromptInput, RequestLimits } from './call.js';
import { assertChoices, toCallParameters, unknownFields } from './call-parameters.js';
import { ApiError } from './errors.js';
import { activeParameters, unservedFeatures } from './features.js';
import { flag, integer, MAX_CHOICES, sharedFields, tokenId, unsupported } from './request-fields.js';
import { invalidValue } from './validation-error.js';
import { compileValidator } from './validator.js';

/** Longest list of token ids taken for a prompt; far above any context, so that the context's own error is the one seen. */
const MAX_PROMPT_ITEMS = 4_194_304;

/** OpenAI's limit. */
const MAX_COMPLETION_LOGPROBS = 5;

/** Body of `POST /v1/completions`. */
export const completionRequestSchema = z
  .looseObject({
    ...sharedFields,
    ...Object.fromEntries(unservedFeatures('completion').map(({ name, neutral }) => [name, unsupported(neutral)])),
    prompt: z
      .union([z.string(), z.array(z.union([z.string(), tokenId, z.array(tokenId)])).max(MAX_PROMPT_ITEMS)])
      .meta({
        description: `A text, a list of token ids, or a list (up to ${MAX_CHOICES}) of texts or of lists of token ids.`,
        examples: ['Explain photosynthesis in simple terms:'],
      }),
    max_tokens: sharedFields.max_tokens.meta({ description: 'Most tokens to generate per choice.', default: 16 }),
    echo: flag('The text of each choice begins with the prompt.'),
    logprobs: integer(
      0,
      MAX_COMPLETION_LOGPROBS,
      'Tell the log-probabilities of the tokens and of this many of the best at each position; with `echo` of the prompt too.',
    ),
  })
  .meta({ description: 'A completion request. Unknown fields are accepted and ignored.' });

export const completionValidator = compileValidator(completionRequestSchema);

/**
 * Validates the body of a completion request.
 * @throws ApiError that names the parameter
 */
export function parseCompletionRequest(body: unknown, limits: RequestLimits): CompletionCall {
  const request = completionValidator.validate(body);
  const active = activeParameters('completion', request);
  const prompts = toPrompts(request.prompt);
  const parameters = toCallParameters(request, request.max_tokens ?? undefined);
  assertChoices(prompts.length, parameters.choicesPerPrompt, limits);
  return {
    ...parameters,
    kind: 'completion',
    input: { kind: 'prompts', prompts },
    logprobs: { ...parameters.logprobs, top: request.logprobs ?? undefined },
    echo: request.echo ?? false,
    activeParameters: active,
    unknownFields: unknownFields(request, completionValidator.fields),
  };
}

type PromptField = z.infer<typeof completionRequestSchema>['prompt'];

function toPrompts(prompt: PromptField): PromptInput[] {
  if (typeof prompt === 'string') return [toPrompt(prompt, 'prompt')];
  if (prompt.length === 0) throw emptyPrompt('prompt');
  if (typeof prompt[0] === 'number') return [toPrompt(onlyIds(prompt), 'prompt')];
  if (prompt.length > MAX_CHOICES) {
    throw invalidValue('prompt', `expected at most ${MAX_CHOICES} prompts, but got ${prompt.length}`);
  }
  return prompt.map((item, index) => {
    if (typeof item === 'number') throw mixedPrompt(index);
    return toPrompt(item, `prompt[${index}]`);
  });
}

function toPrompt(prompt: string | readonly number[], param: string): PromptInput {
  if (prompt.length === 0) throw emptyPrompt(param);
  return typeof prompt === 'string'
    ? { kind: 'text', text: prompt.toWellFormed(), param }
    : { kind: 'token-ids', tokenIds: prompt, param };
}

function onlyIds(prompt: readonly (string | number | readonly number[])[]): readonly number[] {
  const stranger = prompt.findIndex((item) => typeof item !== 'number');
  if (stranger !== -1) throw mixedPrompt(stranger);
  return prompt as readonly number[]; // just checked
}

function emptyPrompt(param: string): ApiError {
  return invalidValue(param, 'the prompt must not be empty');
}

function mixedPrompt(index: number): ApiError {
  const message = `Invalid type for 'prompt[${index}]': a prompt of token ids holds nothing but token ids.`;
  return new ApiError('invalid_type', message, { param: `prompt[${index}]` });
}
