import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Checkpoint,
  CompiledModelStore,
  GgufCheckpoint,
  type ModelConfig,
  modelConfig,
  type ResolvedModel,
  SafetensorsCheckpoint,
} from '#lib/models';
import {
  COMPILER_REVISION,
  type CompiledModel,
  type CompiledModelManifest,
  GRAPH_FILE,
  MANIFEST_FILE,
  type WeightsForm,
} from '../compiled-model.js';
import { architectureOf } from './architectures/known-architectures.js';
import { DecoderBlocks } from './decoder-blocks.js';
import { GraphBuilder } from './graph-builder.js';
import { ropeTables } from './rope-tables.js';
import { WeightStore } from './weight-store.js';
import { WeightsFile } from './weights-file.js';

export interface CompileOptions {
  readonly source: ResolvedModel;
  /** `auto`: the smallest form that keeps the source exact; see `chooseForm`. */
  readonly weights: WeightsForm | 'auto';
  /** Most positions; default: what the model was made for, at most `DEFAULT_CONTEXT_TOKENS`. */
  readonly contextTokens?: number | undefined;
  /** Folder of compiled models. */
  readonly storeFolder: string;
  readonly onProgress?: (progress: CompileProgress) => void;
  readonly signal?: AbortSignal;
}

export interface CompileProgress {
  /** Bytes of the checkpoint read so far, and in all. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** Context when the configuration names none: rotary tables and KV of longer ones are memory that few requests use. */
export const DEFAULT_CONTEXT_TOKENS = 8192;
/** Float models below this size stay as they are, in bytes: nothing is gained by smaller weights. */
const SMALL_MODEL_BYTES = 64_000_000;

/** The context asked for is more than the model was made for. */
export class ContextTooLongError extends Error {
  override readonly name = 'ContextTooLongError';
  constructor(asked: number, most: number) {
    super(`contextTokens is ${asked}, but the model was made for ${most}`);
  }
}

/**
 * Compiles a checkpoint to an ONNX graph with its weights in the form asked for, or finds what was compiled before.
 * Memory is bounded by the largest tensor (fp32) or a slab of 4 MiB (int8, int4), not by the model.
 * @throws UnknownArchitectureError, MissingTensorError, CheckpointError, BlockSizeError, ContextTooLongError
 */
export async function compileModel(options: CompileOptions): Promise<CompiledModel> {
  const { source, storeFolder, signal } = options;
  const config = await modelConfig(source);
  const contextTokens = options.contextTokens ?? Math.min(config.contextTokens, DEFAULT_CONTEXT_TOKENS);
  if (contextTokens > config.contextTokens) throw new ContextTooLongError(contextTokens, config.contextTokens);
  const build = architectureOf(config);

  const checkpoint = await openCheckpoint(source);
  try {
    const form = options.weights === 'auto' ? chooseForm(checkpoint) : options.weights;
    const fingerprint = createHash('sha256')
      .update(JSON.stringify([COMPILER_REVISION, source.contentKey, form, config]))
      .digest('hex');
    const folder = await new CompiledModelStore(storeFolder).create(
      `${config.architecture}-${form}-${contextTokens}-${fingerprint.slice(0, 32)}`,
      async (into) => {
        const weightsBytes = await writeGraph(into, { config, contextTokens, form, checkpoint, build, options });
        const manifest = manifestOf(config, contextTokens, form, fingerprint, weightsBytes);
        await writeFile(join(into, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
      },
      { signal, model: { id: source.id, contentKey: source.contentKey } },
    );
    return await readCompiledModel(folder);
  } finally {
    await checkpoint.close();
  }
}

/** A compiled model by its folder. */
export async function readCompiledModel(folder: string): Promise<CompiledModel> {
  const manifest = JSON.parse(await readFile(join(folder, MANIFEST_FILE), 'utf8')) as CompiledModelManifest;
  return { folder, graphPath: join(folder, GRAPH_FILE), manifest };
}

interface GraphInput {
  readonly config: ModelConfig;
  readonly contextTokens: number;
  readonly form: WeightsForm;
  readonly checkpoint: Checkpoint;
  readonly build: ReturnType<typeof architectureOf>;
  readonly options: CompileOptions;
}

/** @returns bytes of the weights file */
async function writeGraph(
  folder: string,
  { config, contextTokens, form, checkpoint, build, options }: GraphInput,
): Promise<number> {
  const graph = new GraphBuilder();
  graph.input('input_ids', 'int64', ['B', 'S']);
  graph.input('last_index', 'int64', ['G']);
  graph.input('seqlens_k', 'int32', ['B']);
  graph.input('total_len', 'int32', []);
  graph.output('logits', 'float32', ['G', config.vocabularySize]);

  const tables = ropeTables(config, contextTokens);
  const tableShape = [contextTokens, config.headDim / 2];
  const rope = {
    cos: graph.constant('rope.cos', 'float32', tableShape, tables.cos),
    sin: graph.constant('rope.sin', 'float32', tableShape, tables.sin),
  };

  const bytesTotal = [...checkpoint.tensors.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
  let bytesDone = 0;
  const onTensor = (_name: string, bytesRead: number) => {
    bytesDone += bytesRead;
    options.onProgress?.({ bytesDone, bytesTotal });
  };
  const file = await WeightsFile.create(folder);
  try {
    const weights = new WeightStore(checkpoint, graph, file, onTensor, options.signal);
    await build({ config, graph, blocks: new DecoderBlocks(graph, weights, form), rope });
  } finally {
    await file.close();
  }
  await writeFile(join(folder, GRAPH_FILE), graph.encode());
  return file.byteLength;
}

function manifestOf(
  config: ModelConfig,
  contextTokens: number,
  form: WeightsForm,
  fingerprint: string,
  weightsBytes: number,
): CompiledModelManifest {
  const { architecture, layers, kvHeads, headDim, vocabularySize, eosTokenIds } = config;
  const numerics = form === 'fp32' ? 'exact' : 'fast';
  return {
    compilerRevision: COMPILER_REVISION,
    architecture,
    weights: form,
    numerics,
    layers,
    kvHeads,
    headDim,
    vocabularySize,
    contextTokens,
    eosTokenIds,
    fingerprint,
    weightsBytes,
  };
}

/** Sources of 4 bit stay 4 bit, of 8 bit 8 bit; floats become 8 bit unless the model is small. */
function chooseForm(checkpoint: Checkpoint): WeightsForm {
  const infos = [...checkpoint.tensors.entries()]
    .filter(([name]) => name.includes('_proj.weight'))
    .map(([, info]) => info);
  if (infos.some(({ dtype }) => dtype === 'Q4_0' || dtype === 'Q4_1')) return 'int4';
  if (infos.some(({ dtype }) => dtype === 'Q8_0')) return 'int8';
  const bytes = [...checkpoint.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return bytes < SMALL_MODEL_BYTES ? 'fp32' : 'int8';
}

function openCheckpoint(source: ResolvedModel): Promise<Checkpoint> {
  return source.kind === 'gguf' ? GgufCheckpoint.open(source.ggufPath) : SafetensorsCheckpoint.open(source.folder);
}
