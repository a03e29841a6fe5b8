import { z } from 'zod';
import { bytes, count } from './quantities.js';

export const STRATEGIES = [
  'round-robin',
  'least-loaded',
  'consistent-hash',
  'gpu-utilization',
  'power-of-two',
  'least-pending-prefill',
  'prefix-aware',
  'adapter-affinity',
  'weighted',
  'predicted-ttft',
] as const;
export const WEIGHTS = ['auto', 'fp32', 'int8', 'int4', 'w8a8'] as const;
export const PREFILL_WEIGHTS = ['auto', 'same', 'fp32'] as const;
export const NUMERICS = ['exact', 'fast'] as const;

/** In the spelling and the ranges of the public API. */
const samplingSchema = z.strictObject({
  temperature: z.number().min(0).max(2).optional().describe('Divides the logits; 0 is greedy.'),
  top_p: z.number().gt(0).max(1).optional().describe('Keeps the best candidates whose probabilities sum up to it.'),
  top_k: z.number().int().min(0).optional().describe('Keeps the k best candidates; 0 is off.'),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("Drops candidates below this share of the best one's probability; 0 is off."),
  repetition_penalty: z
    .number()
    .min(0.01)
    .max(100)
    .optional()
    .describe('Weakens tokens seen in prompt or output when above 1; 1 is off.'),
});

const nanosPerToken = z.number().int().min(0).max(1_000_000_000);

/** In millionths of a currency unit per 1,000 tokens: 0.15 per million tokens is 150. */
const priceSchema = z
  .strictObject({
    input: nanosPerToken.describe(
      'Of 1,000 tokens of a prompt, in millionths of a currency unit: 0.15 per million tokens is 150.',
    ),
    cachedInput: nanosPerToken
      .optional()
      .describe('Of those that a prefix cache had. Default: `input`, which is also the most.'),
    output: nanosPerToken.describe('Of 1,000 tokens of an answer, in millionths of a currency unit.'),
  })
  .refine(({ input, cachedInput = input }) => cachedInput <= input, 'expected cachedInput to be at most input');

const adapterSchema = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(256)
    .meta({ reload: 'live', description: 'Name under which the adapter is asked for, as `model`.' }),
  path: z.string().min(1).meta({
    reload: 'live',
    description:
      'Folder of the adapter as PEFT writes it (`adapter_config.json`, `adapter_model.safetensors`), on each worker.',
  }),
});

export const modelSchema = z.strictObject({
  id: z.string().min(1).describe('Name under which the model is served.'),
  source: z
    .string()
    .min(1)
    .describe(
      'Where it comes from: a catalogue name, a hub id (`org/name`, `org/name@revision`) or a folder. Default: the id.',
    )
    .optional(),
  weights: z
    .enum(WEIGHTS)
    .default('auto')
    .describe(
      'Form of the compiled weights; `auto` keeps the precision of the source at its smallest exact form, `w8a8` computes prompts fastest.',
    ),
  prefillWeights: z
    .enum(PREFILL_WEIGHTS)
    .default('auto')
    .describe(
      'Form of the weights that compute prompts: `same`, or a second copy in `fp32`, whose answers depend least on processor and cache; `auto` takes the copy for `int4` and `int8` up to 250 million weights, where it has at most a quarter of the memory of a worker, see docs/engine.md.',
    ),
  numerics: z
    .enum(NUMERICS)
    .default('fast')
    .describe(
      '`exact`: fp32 weights, and the same tokens however a request is batched, preempted or resumed; `fast` leaves both open, see docs/numerics.md.',
    ),
  contextTokens: count
    .describe('Most tokens of prompt and output together. Default: what the model was made for, at most 8192.')
    .optional(),
  adapters: z
    .array(adapterSchema)
    .default([])
    .describe('LoRA adapters on this model, each served under its own name; see docs/adapters.md.'),
  maxAdapters: z
    .number()
    .int()
    .min(0)
    .max(64)
    .default(8)
    .describe('Most adapters that a worker has loaded at once; 0 for none.'),
  maxAdapterRank: z.number().int().min(1).max(512).default(64).describe('Largest rank of an adapter.'),
  strategy: z
    .enum(STRATEGIES)
    .default('predicted-ttft')
    .meta({ reload: 'live', description: 'How requests for this model are placed on workers.' }),
  sloTtftMs: count
    .meta({
      reload: 'live',
      description:
        'Time to first token that requests are to have, in milliseconds: what cannot keep it is refused. Default: none, unless a request says `x-slo-ttft-ms`.',
    })
    .optional(),
  workers: count
    .describe('Worker processes that `hydra up` starts for this model. Default: `workers.count`.')
    .optional(),
  kvBytes: bytes.describe('Memory for attention state per worker, in bytes. Default: `workers.kvBytes`.').optional(),
  price: priceSchema.optional().describe('What its tokens cost, for budgets and the usage ledger. Default: nothing.'),
  sampling: samplingSchema
    .describe(
      'Values for what a request does not give. Default: what the authors of the model recommend, see docs/models.md.',
    )
    .optional(),
});
