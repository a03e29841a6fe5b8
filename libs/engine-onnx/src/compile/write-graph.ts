import { createHash } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint, ModelConfig } from '#lib/models';
import {
  ADAPTER_GRAPH_FILE,
  COMPILER_REVISION,
  type CompiledModelManifest,
  DECODE_ADAPTER_GRAPH_FILE,
  DECODE_GRAPH_FILE,
  GRAPH_FILE,
  MANIFEST_FILE,
  type WeightsForm,
} from '../compiled-model.js';
import { withAdapters } from './adapter-graph.js';
import type { BuildArchitecture } from './architectures/architecture.js';
import { CheckpointTensors, type TensorDone } from './checkpoint-tensors.js';
import { forSingleTokens } from './decode-graph.js';
import { DecoderBlocks, type WeightedProduct } from './decoder-blocks.js';
import { EncoderBlocks } from './encoder-blocks.js';
import { GraphBuilder } from './graph-builder.js';
import { ropeTables } from './rope-tables.js';
import { RotatedBlocks } from './rotated-blocks.js';
import { WeightStore } from './weight-store.js';
import { WeightsFile } from './weights-file.js';

export interface GraphInput {
  readonly config: ModelConfig;
  readonly contextTokens: number;
  readonly form: WeightsForm;
  /** Whether the graph computes prompts alone. */
  readonly isForPrompts: boolean;
  readonly checkpoint: Checkpoint;
  readonly build: BuildArchitecture;
  readonly onTensor: TensorDone;
  readonly signal: AbortSignal | undefined;
}

/**
 * Writes graph, weights and manifest of a model into a folder. The manifest comes last, and each is on disk before the next.
 * @param folder  empty, or as this function left it when it was killed with the same input: then it goes on
 */
export async function writeGraph(folder: string, input: GraphInput): Promise<void> {
  const { config, contextTokens, form, isForPrompts, checkpoint, build, onTensor, signal } = input;
  const graph = new GraphBuilder();
  const file = await WeightsFile.open(folder);
  let products: readonly WeightedProduct[] = [];
  try {
    const tensors = new CheckpointTensors(checkpoint, onTensor, signal);
    const weights = new WeightStore(tensors, graph, file);
    const blocks =
      form === 'w8a8'
        ? new RotatedBlocks(graph, weights, config.hiddenSize)
        : new DecoderBlocks(graph, weights, form, isForPrompts);
    if (build.task === 'embed') {
      declareEncoder(graph, config);
      await build.build({ config, graph, tensors, blocks: new EncoderBlocks(graph, weights, blocks) });
    } else {
      declareStep(graph, config);
      const rope = () => addRopeTables(graph, config, contextTokens);
      await build.build({ config, graph, tensors, blocks, rope });
      if (form !== 'w8a8') ({ products } = blocks); // there, what products take is rotated and scaled
    }
    await file.flush();
  } finally {
    await file.close();
  }
  const graphFile = graph.encode();
  await writeSynced(join(folder, GRAPH_FILE), graphFile);
  const adapters = products.length === 0 ? undefined : await writeAdapterGraph(folder, graph, products, form);
  const hasDecode = build.task !== 'embed' && form !== 'fp32' && !isForPrompts;
  const decode = hasDecode ? await writeDecodeGraphs(folder, graph, products) : undefined;
  const manifest: CompiledModelManifest = {
    compilerRevision: COMPILER_REVISION,
    architecture: config.architecture,
    ...(build.task === 'embed' ? { embeddingDimensions: config.hiddenSize } : {}),
    weights: form,
    layers: config.layers,
    kvHeads: config.kvHeads,
    headDim: config.headDim,
    kvElement: 'float32',
    vocabularySize: config.vocabularySize,
    contextTokens,
    eosTokenIds: config.eosTokenIds,
    fingerprint: createHash('sha256').update(file.digest()).update(graphFile).digest('hex'),
    graphBytes: graphFile.length,
    ...(adapters === undefined ? {} : { adapters }),
    ...(decode === undefined ? {} : { decode }),
    weightsBytes: file.byteLength,
  };
  await writeSynced(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
  await file.removeJournal();
}

async function writeAdapterGraph(
  folder: string,
  graph: GraphBuilder,
  products: readonly WeightedProduct[],
  form: WeightsForm,
): Promise<CompiledModelManifest['adapters']> {
  const kind = form === 'fp32' ? 'row-by-row' : 'together';
  const file = withAdapters(graph, products, kind).encode();
  await writeSynced(join(folder, ADAPTER_GRAPH_FILE), file);
  const sites = products.map(({ value, columns, weights }) => ({ name: value, columns, weights }));
  return { graphBytes: file.length, products: kind, sites };
}

async function writeDecodeGraphs(
  folder: string,
  graph: GraphBuilder,
  products: readonly WeightedProduct[],
): Promise<NonNullable<CompiledModelManifest['decode']>> {
  const decode = forSingleTokens(graph);
  const file = decode.encode();
  await writeSynced(join(folder, DECODE_GRAPH_FILE), file);
  if (products.length === 0) return { graphBytes: file.length };
  const adapterFile = withAdapters(decode, products, 'together').encode();
  await writeSynced(join(folder, DECODE_ADAPTER_GRAPH_FILE), adapterFile);
  return { graphBytes: file.length, adapterGraphBytes: adapterFile.length };
}

/** The inputs and outputs that every decoder has, as runtime/decoder-graph.ts describes them. */
function declareStep(graph: GraphBuilder, { vocabularySize }: ModelConfig): void {
  graph.input('input_ids', 'int64', ['B', 'S']);
  graph.input('last_index', 'int64', ['G']);
  graph.input('seqlens_k', 'int32', ['B']);
  graph.input('total_len', 'int32', []);
  graph.output('logits', 'float32', ['G', vocabularySize]);
}

/** The inputs and the output that every encoder has, as runtime/encoder-graph.ts describes them. */
function declareEncoder(graph: GraphBuilder, { hiddenSize }: ModelConfig): void {
  graph.input('input_ids', 'int64', ['B', 'S']);
  graph.input('attention_mask', 'int32', ['B', 'S']);
  graph.output('vectors', 'float32', ['B', hiddenSize]);
}

/**
 * Queries and keys are both turned by the tables, so these hold the root of attention's scale, 1 / √headDim: products of one row are vectorized only when nothing is
 * to be multiplied with them (ONNX Runtime's `MlasSgemm`).
 */
function addRopeTables(graph: GraphBuilder, config: ModelConfig, contextTokens: number) {
  const tables = ropeTables(config, contextTokens, config.headDim ** -0.25);
  const shape = [contextTokens, config.headDim / 2];
  return {
    cos: graph.constant('rope.cos', 'float32', shape, tables.cos),
    sin: graph.constant('rope.sin', 'float32', shape, tables.sin),
  };
}

/** A rename after it never shows a file without its bytes. */
async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'w');
  try {
    await writeFile(file, content);
    await file.sync();
  } finally {
    await file.close();
  }
}
