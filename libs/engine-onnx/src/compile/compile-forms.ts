import type { CompiledModel } from '../compiled-model.js';
import { weightCountOf } from '../weight-count.js';
import { type CompileOptions, compileModel } from './compile-model.js';

/** In which form prompts are computed: as everything else, with a copy of the weights in fp32, or with one where it is small. */
export type PrefillWeights = 'auto' | 'same' | 'fp32';

export interface CompileFormsOptions extends CompileOptions {
  readonly prefillWeights: PrefillWeights;
  /** Memory that a worker may count on, in bytes. */
  readonly memoryBytes: number;
}

/** What a worker loads. */
export interface CompiledForms {
  readonly compiled: CompiledModel;
  /** The same model in fp32, for prompts. */
  readonly prefill: CompiledModel | undefined;
}

/** Encoders have prompts alone. */
export class PrefillFormError extends Error {
  override readonly name = 'PrefillFormError';
  constructor() {
    super('prefillWeights fp32 is for models that generate: take weights fp32 for this one.');
  }
}

/**
 * Of `auto`, in fp32. Chosen: SmolLM2-135M has 0.54 GB, and models beyond a quarter of a billion weights would take more for the copy
 * than for all the rest of a worker.
 */
const MOST_COPY_BYTES = 1e9;
/** Of `auto`. Chosen: KV, the weights themselves and what a process takes need the rest. */
const MOST_COPY_SHARE = 0.25;
const FLOAT_BYTES = 4;

/**
 * Compiles a model as `compileModel` does, and its copy for prompts where there is to be one.
 * @throws PrefillFormError when a copy is asked for that cannot be
 */
export async function compileForms(options: CompileFormsOptions): Promise<CompiledForms> {
  const compiled = await compileModel(options);
  if (!wantsCopy(options, compiled)) return { compiled, prefill: undefined };
  return { compiled, prefill: await compileModel({ ...options, weights: 'fp32', isForPrompts: true }) };
}

function wantsCopy(
  { prefillWeights, memoryBytes }: Pick<CompileFormsOptions, 'prefillWeights' | 'memoryBytes'>,
  { manifest }: CompiledModel,
): boolean {
  if (manifest.weights === 'fp32' || prefillWeights === 'same') return false;
  const isEncoder = manifest.embeddingDimensions !== undefined;
  if (prefillWeights === 'fp32') {
    if (isEncoder) throw new PrefillFormError();
    return true;
  }
  if (isEncoder || manifest.weights === 'w8a8') return false; // that form is taken for its prompts
  return weightCountOf(manifest) * FLOAT_BYTES <= Math.min(MOST_COPY_BYTES, memoryBytes * MOST_COPY_SHARE);
}
