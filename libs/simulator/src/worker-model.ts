import type { StepLoad } from '#lib/placement';

/**
 * How fast a simulated worker is and how much it holds. A step takes
 * `stepBaseS + perPrefillTokenS · P + perSequenceS · D + perContextTokenS · CTX + perAttentionPairS · A` seconds: P prefill tokens,
 * D decoding sequences with CTX tokens of context in all, and A = sum over prefill chunks of n · (tokens before the chunk + n / 2).
 */
export interface WorkerModel {
  readonly stepBaseS: number;
  readonly perPrefillTokenS: number;
  readonly perSequenceS: number;
  readonly perContextTokenS: number;
  readonly perAttentionPairS: number;
  /** Tokens of one step; decodes first. */
  readonly tokenBudget: number;
  /** Sequences that run at once. */
  readonly maxSeqs: number;
  /** Tokens per KV block: the traces' unit. */
  readonly blockTokens: number;
  readonly kvBlocks: number;
}

/**
 * One H100 80GB with an 8B model in bf16, continuous batching and chunked prefill.
 * | value | from |
 * |---|---|
 * | stepBaseS, perPrefillTokenS, perSequenceS | linear layers of Llama-2-7B measured on H100 (microsoft/vidur, `data/profiling/compute/h100`), scaled to 8B |
 * | perContextTokenS | 131,072 B of KV per token at 0.8 × 3.35 TB/s |
 * | perAttentionPairS | 4 · 32 · 4096 FLOP at 0.5 × 989 TFLOP/s |
 * | kvBlocks | (0.9 · 80 GB − 16.1 GB − 2 GB) / 131,072 B / 512 |
 */
export const H100_8B: WorkerModel = {
  stepBaseS: 6.5e-3,
  perPrefillTokenS: 22e-6,
  perSequenceS: 12e-6,
  perContextTokenS: 4.9e-8,
  perAttentionPairS: 1.06e-9,
  tokenBudget: 2048,
  maxSeqs: 256,
  blockTokens: 512,
  kvBlocks: 800,
};

/** Names of the values in a model file, as the definitions of the simulator have them. */
const FILE_KEYS = {
  a: 'stepBaseS',
  b: 'perPrefillTokenS',
  c: 'perSequenceS',
  d: 'perContextTokenS',
  e: 'perAttentionPairS',
  tokenBudget: 'tokenBudget',
  maxSeqs: 'maxSeqs',
  blockTokens: 'blockTokens',
  kvBlocks: 'kvBlocks',
} as const satisfies Record<string, keyof WorkerModel>;

const WHOLE: ReadonlySet<string> = new Set(['tokenBudget', 'maxSeqs', 'blockTokens', 'kvBlocks']);

/** A model file has a key that is unknown, or a value that makes no sense. */
export class InvalidWorkerModelError extends Error {
  constructor(
    readonly key: string,
    expected: string,
  ) {
    super(`${key}: expected ${expected}`);
    this.name = 'InvalidWorkerModelError';
  }
}

/**
 * Reads a model file, for example `{"a": 0.007, "kvBlocks": 1600}`; what it leaves out is as in `base`.
 * @throws InvalidWorkerModelError
 */
export function parseWorkerModel(json: unknown, base: WorkerModel = H100_8B): WorkerModel {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new InvalidWorkerModelError('model', 'a JSON object');
  }
  const model: Record<string, number> = { ...base };
  for (const [key, value] of Object.entries(json)) {
    if (!Object.hasOwn(FILE_KEYS, key)) {
      throw new InvalidWorkerModelError(key, `one of ${Object.keys(FILE_KEYS).join(', ')}`);
    }
    const isWhole = WHOLE.has(key);
    const isFine = isWhole ? Number.isSafeInteger(value) && value >= 1 : Number.isFinite(value) && value >= 0;
    if (!isFine)
      throw new InvalidWorkerModelError(key, isWhole ? 'a whole number, at least 1' : 'a number, at least 0');
    model[FILE_KEYS[key as keyof typeof FILE_KEYS]] = value;
  }
  return model as unknown as WorkerModel; // every key comes from the base
}

export function stepSeconds(model: WorkerModel, load: StepLoad): number {
  return (
    model.stepBaseS +
    model.perPrefillTokenS * load.prefillTokens +
    model.perSequenceS * load.decodingSequences +
    model.perContextTokenS * load.contextTokens +
    model.perAttentionPairS * load.attentionPairs
  );
}

/** Time to first token of a prompt on an idle, empty worker, in seconds. */
export function aloneSeconds(model: WorkerModel, promptTokens: number): number {
  return (
    Math.ceil(promptTokens / model.tokenBudget) * model.stepBaseS +
    model.perPrefillTokenS * promptTokens +
    (model.perAttentionPairS * promptTokens ** 2) / 2
  );
}
