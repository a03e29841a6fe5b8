import { z } from 'zod';
import { API_ERRORS, ERROR_TYPES, type ErrorCondition } from './errors.js';
import { type JsonSchema, toJsonSchema } from './json-schema.js';
import { MODEL_CAPABILITIES } from './models-list.js';

const head = {
  id: z.string().meta({ description: 'The answer’s id, from the generation’s id.' }),
  created: z.int().meta({ description: 'Seconds since the Unix epoch.', examples: [1_764_086_400] }),
  model: z.string().meta({ description: 'The model as asked for.' }),
  system_fingerprint: z.string().meta({ description: 'Stands for weights and numerics of the model.' }),
};

const index = z.int().min(0).meta({ description: 'prompt index × n + choice index.' });
const finishReason = z.enum(['stop', 'length']);
const finishOrNull = finishReason.nullable().meta({ description: 'Set in the choice’s last chunk.' });
const stopReason = z
  .union([z.string(), z.int()])
  .nullable()
  .meta({ description: 'The stop string or stop token id of the request that ended the choice.' });
const completionLogprobs = z
  .object({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number().nullable()),
    top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).meta({
      description: 'The best candidates and the chosen one, by text.',
    }),
    text_offset: z.array(z.int()).meta({ description: 'Where each token begins in the text, in Unicode characters.' }),
  })
  .nullable()
  .meta({ description: 'With `logprobs`: of each token, with `echo` those of the prompt first (its first one null).' });
const candidate = {
  token: z.string(),
  logprob: z.number().meta({ description: 'Natural logarithm of the probability, before temperature and penalties.' }),
  bytes: z.array(z.int()).meta({ description: 'The token’s bytes; it may be a part of a character.' }),
};
const chatLogprobs = z
  .object({
    content: z.array(z.object({ ...candidate, top_logprobs: z.array(z.object(candidate)) })),
    refusal: z.null(),
  })
  .nullable()
  .meta({ description: 'With `logprobs`: of each token.' });
const promptLogprobs = z
  .array(
    z
      .record(z.string(), z.object({ logprob: z.number(), rank: z.int().nullable(), decoded_token: z.string() }))
      .nullable(),
  )
  .optional()
  .meta({ description: 'With `prompt_logprobs`: for each token of the prompt the candidates by id, the first null.' });
const tokenIds = z.array(z.int()).meta({ description: 'Generated ids, with `return_token_ids`.' });
const promptTokenIds = z.array(z.int()).meta({ description: 'Ids of the prompt, with `return_token_ids`.' });

const usage = z
  .object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    total_tokens: z.int(),
    prompt_tokens_details: z.object({
      cached_tokens: z.int().meta({ description: 'Tokens of the prompt that came from a prefix cache.' }),
    }),
  })
  .meta({ description: 'Tokens used, over all prompts and choices.' });

const chunkUsage = usage.partial({ prompt_tokens_details: true }).nullable().optional().meta({
  description:
    'With `stream_options.include_usage`: set in the last chunk, whose `choices` are empty; before it null, or the tokens so far with `continuous_usage_stats`.',
});

export const completionSchema = z
  .object({
    ...head,
    object: z.literal('text_completion'),
    choices: z.array(
      z.object({
        index,
        text: z.string(),
        logprobs: completionLogprobs,
        finish_reason: finishReason,
        stop_reason: stopReason,
        token_ids: tokenIds.optional(),
        prompt_token_ids: promptTokenIds.optional(),
        prompt_logprobs: promptLogprobs,
      }),
    ),
    usage,
  })
  .meta({ description: 'A whole completion.' });

export const completionChunkSchema = z
  .object({
    ...head,
    object: z.literal('text_completion'),
    choices: z.array(
      z.object({
        index,
        text: z.string().meta({ description: 'What is new.' }),
        logprobs: completionLogprobs,
        finish_reason: finishOrNull,
        stop_reason: stopReason,
        token_ids: tokenIds.optional(),
        prompt_token_ids: promptTokenIds.nullish(),
      }),
    ),
    usage: chunkUsage,
  })
  .meta({ description: 'An event of a completion stream.' });

export const chatCompletionSchema = z
  .object({
    ...head,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.object({
        index,
        message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
        logprobs: chatLogprobs,
        finish_reason: finishReason,
        stop_reason: stopReason,
        token_ids: tokenIds.optional(),
      }),
    ),
    usage,
    prompt_token_ids: promptTokenIds.optional(),
    prompt_logprobs: promptLogprobs,
  })
  .meta({ description: 'A whole answer.' });

export const chatCompletionChunkSchema = z
  .object({
    ...head,
    object: z.literal('chat.completion.chunk'),
    choices: z.array(
      z.object({
        index,
        delta: z.object({ role: z.literal('assistant').optional(), content: z.string().optional() }),
        logprobs: chatLogprobs,
        finish_reason: finishOrNull,
        stop_reason: stopReason.optional(),
        token_ids: tokenIds.optional(),
      }),
    ),
    usage: chunkUsage,
    prompt_token_ids: promptTokenIds.optional(),
  })
  .meta({ description: 'An event of a chat stream.' });

export const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int().meta({ description: 'When the compiled model was made, in seconds since the Unix epoch.' }),
    owned_by: z.string(),
    root: z.string().meta({ description: 'The model itself.' }),
    parent: z.string().nullable().meta({ description: 'The model behind an alias or adapter.' }),
    max_model_len: z.int().meta({ description: 'Most tokens of prompt and output together.' }),
    capabilities: z.array(z.enum(MODEL_CAPABILITIES)).meta({
      description: '`chat` where the model has a chat template.',
    }),
  })
  .meta({ description: 'A model or alias that can be asked for.' });

const modelListSchema = z
  .object({ object: z.literal('list'), data: z.array(modelSchema) })
  .meta({ description: 'The models that can be asked for.' });

export const errorSchema = z
  .object({
    error: z.object({
      message: z.string().meta({ description: 'One sentence for people.' }),
      type: z.enum(ERROR_TYPES),
      param: z
        .string()
        .nullable()
        .meta({ description: 'The parameter at fault.', examples: ['messages[2].content'] }),
      code: z.enum(Object.keys(API_ERRORS) as [ErrorCondition, ...ErrorCondition[]]), // the table is not empty
    }),
  })
  .meta({ description: 'Every error, also as the last event of a stream that broke off. See docs/errors.md.' });

/** What the API answers with, by the name of its schema. */
export const RESPONSE_SCHEMAS = {
  Completion: toJsonSchema(completionSchema),
  CompletionChunk: toJsonSchema(completionChunkSchema),
  ChatCompletion: toJsonSchema(chatCompletionSchema),
  ChatCompletionChunk: toJsonSchema(chatCompletionChunkSchema),
  Model: toJsonSchema(modelSchema),
  ModelList: toJsonSchema(modelListSchema),
  Error: toJsonSchema(errorSchema),
} satisfies Record<string, JsonSchema>;
