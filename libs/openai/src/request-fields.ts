import { z } from 'zod';

/**
 * Fields that completions and chat share. Every one may be absent or null, both meaning the default. Bounds are OpenAI's
 * where it has them; the others are chosen so that a value survives the wire's 32-bit forms and cannot be used to waste
 * time.
 */

const UINT32_MAX = 4_294_967_295;
/** Chosen: OpenAI takes 4, real clients send up to a dozen. */
export const MAX_STOP_STRINGS = 16;
const MAX_STOP_CHARACTERS = 256;
const MAX_STOP_TOKEN_IDS = 64;
/** vLLM's limit for one request. */
const MAX_LOGIT_BIASES = 1_024;
/** Beyond it `max_tokens` is a typing error rather than a wish; below it the context decides. */
const MAX_TOKENS = 2_147_483_647;
/** Upper bound of the schema; the operator's `gateway.maxChoices` comes on top. */
export const MAX_CHOICES = 1_024;

/** OpenAI's limit. */
export const MAX_TOP_LOGPROBS = 20;

export const tokenId = z.int().min(0).max(UINT32_MAX);

function number(minimum: number, maximum: number, description: string, initial?: number) {
  return z.number().min(minimum).max(maximum).nullish().meta({ description, default: initial });
}

export function integer(minimum: number, maximum: number, description: string, initial?: number) {
  return z.int().min(minimum).max(maximum).nullish().meta({ description, default: initial });
}

export function flag(description: string) {
  return z.boolean().nullish().meta({ description, default: false });
}

function label(description: string) {
  return z.string().max(512).nullish().meta({ description });
}

/** A parameter that is known but not served; FEATURES says which values are harmless. */
export function unsupported(neutral: string) {
  return z
    .unknown()
    .optional()
    .meta({ description: `Not supported yet. ${neutral}` });
}

export const sharedFields = {
  model: z
    .string()
    .min(1)
    .max(512)
    .meta({ description: 'Model id or alias.', examples: ['smollm2-135m-instruct'] }),
  max_tokens: integer(1, MAX_TOKENS, 'Most tokens to generate per choice.'),
  min_tokens: integer(0, MAX_TOKENS, 'No stop condition but `max_tokens` applies before this many tokens.', 0),
  temperature: number(0, 2, "Divides the logits; 0 is greedy. Default: the model's own, else 1."),
  top_p: z.number().gt(0).max(1).nullish().meta({
    description: "Keeps the smallest set of candidates with this probability. Default: the model's own, else 1.",
  }),
  top_k: integer(-1, MAX_TOKENS, 'Keeps the k best candidates; 0 and -1 are off.'),
  min_p: number(0, 1, "Drops candidates below this share of the best one's probability; 0 is off."),
  repetition_penalty: number(0.01, 100, 'Weakens tokens seen in prompt or output when above 1; 1 is off.'),
  presence_penalty: number(-2, 2, 'Subtracted once from the logits of tokens already generated; 0 is off.', 0),
  frequency_penalty: number(
    -2,
    2,
    'Subtracted per occurrence from the logits of tokens already generated; 0 is off.',
    0,
  ),
  logit_bias: z
    .record(z.string().regex(/^\d{1,10}$/), z.number().min(-100).max(100))
    .nullish()
    .meta({ description: 'Added to the logits, by token id.', maxProperties: MAX_LOGIT_BIASES }),
  seed: integer(
    Number.MIN_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER,
    'Seed of the random generator; equal requests with equal seeds give equal tokens. Default: drawn.',
  ),
  stop: z
    .union([
      z.string().min(1).max(MAX_STOP_CHARACTERS),
      z.array(z.string().min(1).max(MAX_STOP_CHARACTERS)).max(MAX_STOP_STRINGS),
    ])
    .nullish()
    .meta({ description: 'One string, or up to 16, that end a choice and are not part of its text.' }),
  stop_token_ids: z
    .array(tokenId)
    .max(MAX_STOP_TOKEN_IDS)
    .nullish()
    .meta({ description: 'Token ids that end a choice.' }),
  ignore_eos: flag("The model's own end of sequence does not end a choice."),
  n: integer(1, MAX_CHOICES, 'Choices per prompt.', 1),
  stream: flag('Answer token by token, as server-sent events.'),
  stream_options: z
    .looseObject({
      include_usage: flag('One more event, before `[DONE]`, tells the usage.'),
      include_obfuscation: flag('Accepted; nothing is added.'),
      continuous_usage_stats: flag('With `include_usage`: every event tells the tokens used so far.'),
    })
    .nullish()
    .meta({ description: 'Only with `stream`.' }),
  prompt_logprobs: integer(
    0,
    MAX_TOP_LOGPROBS,
    'Tell the log-probabilities of the prompt: of its tokens and of this many of the best at each position. Not with `stream`.',
  ),
  return_token_ids: flag('Tell the token ids of prompt and output.'),
  user: label('End-user identity, for affinity and abuse tracking.'),
  safety_identifier: label('Taken as `user` when that is absent.'),
  session_id: label('Requests of one session go to one worker where possible.'),
  prompt_cache_key: label('Taken as `session_id` when that is absent.'),
  cache_salt: z.string().min(1).max(512).nullish().meta({
    description: 'Only requests of one tenant with equal salts share computed prefixes. Default: all of the tenant do.',
  }),
  priority: integer(-10, 10, 'Larger is served earlier among waiting requests.', 0),
  timeout_ms: integer(1, MAX_TOKENS, 'Most time from arrival to the last token, in milliseconds.'),
  metadata: z.unknown().optional().meta({ description: 'Accepted; not used.' }),
} as const;
