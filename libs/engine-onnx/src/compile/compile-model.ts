import { createHash } from 'node:crypto';
import {
  architectureName,
  type Checkpoint,
  CheckpointError,
  CompiledModelStore,
  GgufCheckpoint,
  type LockHolder,
  MissingTensorError,
  type ModelConfig,
  modelConfig,
  type ResolvedModel,
  SafetensorsCheckpoint,
} from '#lib/models';
import { COMPILER_REVISION, type CompiledModel, type WeightsForm } from '../compiled-model.js';
import { DamagedCompiledModelError, readCompiledModel } from '../read-compiled-model.js';
import { UnsupportedVariantError } from './architectures/architecture.js';
import { architectureOf, UnknownArchitectureError } from './architectures/known-architectures.js';
import { BlockSizeError } from './checkpoint-tensors.js';
import { chooseForm } from './choose-form.js';
import { CompiledRequests } from './compiled-requests.js';
import { type GraphInput, writeGraph } from './write-graph.js';

export interface CompileOptions {
  readonly source: ResolvedModel;
  /** `auto`: the smallest form that keeps the source exact; see `chooseForm`. */
  readonly weights: WeightsForm | 'auto';
  /** Whether the graph computes prompts alone, beside another form that decodes. Its file is read as it lies where that costs nothing. */
  readonly isForPrompts?: boolean;
  /** Most positions; default: what the model was made for, at most `DEFAULT_CONTEXT_TOKENS`. */
  readonly contextTokens?: number | undefined;
  /** Folder of compiled models. */
  readonly storeFolder: string;
  readonly onProgress?: (progress: CompileProgress) => void;
  /** Called once when another process is compiling the same model and this one waits for it. */
  readonly onWait?: (holder: LockHolder) => void;
  readonly signal?: AbortSignal;
}

export interface CompileProgress {
  /** Bytes of the checkpoint read so far, and in all. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** The form that is being made. */
  readonly weights: WeightsForm;
}

/**
 * Most context when the configuration names none. Chosen for a laptop: slots take memory only as they grow, but prefilling
 * more takes a small machine minutes.
 */
export const DEFAULT_CONTEXT_TOKENS = 8_192;

/** The context asked for is no number of tokens, or more than the model was made for. */
export class ContextTooLongError extends Error {
  override readonly name = 'ContextTooLongError';
  constructor(asked: number, most: number) {
    super(`contextTokens is ${asked}, but the model was made for ${most}: take 1 to ${most}.`);
  }
}

/** What is wrong with a model, as the part that found it says; these errors do not know which model it is. */
const FINDINGS = [
  CheckpointError,
  MissingTensorError,
  BlockSizeError,
  UnsupportedVariantError,
  UnknownArchitectureError,
];

/** A model cannot be compiled. The message names it and says why; `cause` is what was found. */
export class UncompilableModelError extends Error {
  override readonly name = 'UncompilableModelError';
  constructor(
    readonly model: string,
    cause: Error,
  ) {
    super(cause.message.includes(model) ? cause.message : `${model}: ${cause.message}`, { cause });
  }
}

/**
 * Compiles a checkpoint to an ONNX graph with its weights in the form asked for, or finds what was compiled before.
 * Memory is bounded by the largest product's tensors (fp32) or a slab of 4 MiB (int8, int4), not by the model.
 * @throws UncompilableModelError, UnsupportedModelError, ContextTooLongError; when it throws, nothing stays in the store
 */
export async function compileModel(options: CompileOptions): Promise<CompiledModel> {
  try {
    return await findOrCompile(options);
  } catch (error) {
    if (FINDINGS.some((kind) => error instanceof kind))
      throw new UncompilableModelError(options.source.id, error as Error);
    throw error;
  }
}

async function findOrCompile(options: CompileOptions): Promise<CompiledModel> {
  const { source, weights, storeFolder, isForPrompts = false } = options;
  const store = new CompiledModelStore(storeFolder);
  const requests = new CompiledRequests(storeFolder);
  const request = {
    contentKey: source.contentKey,
    weights: isForPrompts ? `${weights} for prompts` : weights,
    contextTokens: options.contextTokens ?? { atMost: DEFAULT_CONTEXT_TOKENS },
  };

  const knownKey = await requests.find(request);
  const known = knownKey === undefined ? undefined : await openSound(store, knownKey);
  if (known !== undefined) return known;

  const name = await architectureName(source);
  if (name !== undefined) architectureOf(name); // before the shape: that another architecture lacks a field of it would mislead
  const config = await modelConfig(source);
  const build = architectureOf(config.architecture);
  const contextTokens = chooseContext(config, options.contextTokens);
  const checkpoint = await openCheckpoint(source);
  try {
    const form = weights === 'auto' ? chooseForm(checkpoint, config) : weights;
    if (form === 'w8a8' && build.task === 'embed') {
      throw new UnsupportedVariantError(config.architecture, 'weights w8a8 are for models that generate');
    }
    const key = keyOf(source, config, isForPrompts ? `${form}-prompts` : form, contextTokens);
    const compiled =
      (await openSound(store, key)) ??
      (await compile(store, key, { config, contextTokens, form, isForPrompts, checkpoint, build }, options));
    await requests.remember(request, key);
    return compiled;
  } finally {
    await checkpoint.close();
  }
}

type Plan = Omit<GraphInput, 'onTensor' | 'signal'>;

async function compile(
  store: CompiledModelStore,
  key: string,
  plan: Plan,
  { source, onProgress, onWait, signal }: CompileOptions,
): Promise<CompiledModel> {
  const bytesTotal = [...plan.checkpoint.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  let bytesDone = 0;
  const onTensor = (byteLength: number) => {
    bytesDone += byteLength;
    onProgress?.({ bytesDone, bytesTotal, weights: plan.form });
  };
  const { id, contentKey } = source;
  const folder = await store.create(key, (into) => writeGraph(into, { ...plan, onTensor, signal }), {
    signal,
    onWait,
    model: { id, contentKey },
  });
  return readCompiledModel(folder);
}

/** A compiled model of the store; `undefined` when there is none. A damaged one is removed. */
async function openSound(store: CompiledModelStore, key: string): Promise<CompiledModel | undefined> {
  const folder = await store.locate(key);
  if (folder === undefined) return undefined;
  try {
    return await readCompiledModel(folder);
  } catch (error) {
    if (!(error instanceof DamagedCompiledModelError)) throw error;
    await store.remove(key);
    return undefined;
  }
}

function chooseContext(config: ModelConfig, asked: number | undefined): number {
  if (asked === undefined) return Math.min(config.contextTokens, DEFAULT_CONTEXT_TOKENS);
  if (Number.isInteger(asked) && asked >= 1 && asked <= config.contextTokens) return asked;
  throw new ContextTooLongError(asked, config.contextTokens);
}

function keyOf(source: ResolvedModel, config: ModelConfig, form: string, contextTokens: number): string {
  const hash = createHash('sha256').update(JSON.stringify([COMPILER_REVISION, source.contentKey, config]));
  return `${config.architecture}-${form}-${contextTokens}-${hash.digest('hex').slice(0, 32)}`;
}

function openCheckpoint(source: ResolvedModel): Promise<Checkpoint> {
  return source.kind === 'gguf' ? GgufCheckpoint.open(source.ggufPath) : SafetensorsCheckpoint.open(source.folder);
}
