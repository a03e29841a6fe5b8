import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import {
  EmbeddingEngine,
  type Engine,
  type EngineDescription,
  EngineThread,
  type LoadedEncoder,
  type LoadedModel,
  StepLoopEngine,
  type StepLoopEngineOptions,
  textFingerprint,
  UNSUPPORTED_PARAMETERS,
} from '#lib/engine';
import type { TextFiles } from '#lib/tokens';
import { ByteProductsError, hasByteProducts } from './byte-products.js';
import { chunkTokensOf } from './chunk-tokens.js';
import type { CompiledModel, Numerics } from './compiled-model.js';
import { OnnxEncoderRunner } from './onnx-encoder-runner.js';
import { OnnxModelRunner } from './onnx-model-runner.js';
import { adapterGraphOf, readCompiledModel } from './read-compiled-model.js';
import type { OnnxModelRunnerOptions } from './runner-limits.js';
import type { DecoderGraph } from './runtime/decoder-graph.js';
import { freeAbandoned } from './runtime/free-abandoned.js';
import { joinHugePages } from './runtime/huge-pages.js';
import { BLOCK_TOKENS } from './runtime/kv-block-places.js';
import { NativeLedger } from './runtime/native-ledger.js';
import { locateOrtLibrary } from './runtime/ort-library.js';
import type { ExecutionProvider } from './runtime/ort-session-options.js';
import { trimNativeHeap } from './runtime/trim-native-heap.js';

/**
 * Requests for embeddings that schedulers place on a worker at once, beside those that may wait. Chosen: batches are full with
 * far fewer, and a request has up to 2,048 inputs.
 */
const CONCURRENT_EMBEDDINGS = 32;

/** All an engine needs; plain data, so that it crosses into the engine's thread. */
export interface OnnxEngineOptions {
  /** Id under which the model is asked for. */
  readonly modelId: string;
  /** Folder that `compileModel` made. */
  readonly compiledFolder: string;
  /** Folder of the same model in fp32, which computes prompts. Default: the other computes all. */
  readonly prefillFolder?: string;
  /** What the compiled model does. Default `generate`. */
  readonly task?: 'generate' | 'embed';
  /** Default `fast`. `exact` asks for a model compiled to fp32. */
  readonly numerics?: Numerics;
  readonly textFiles: TextFiles;
  /** Compute threads of a step. */
  readonly threads: number;
  /** Most memory for KV, in bytes. */
  readonly kvBytes: number;
  /** Most sequences at once. Default 32. */
  readonly maxSequences?: number;
  /** Most tokens of prompt and output together. Default: as many as the graph computes. */
  readonly contextTokens?: number;
  /** Whether computed prefixes are kept for later requests, within `kvBytes`; on the CPU only. Default true. */
  readonly prefixCache?: boolean;
  /** Which of them go first. Default `lru`. */
  readonly prefixEviction?: StepLoopEngineOptions['prefixEviction'];
  /** In which order prompts are computed. Default `fifo`. */
  readonly prefillOrder?: StepLoopEngineOptions['prefillOrder'];
  /** Adapters that are taken; on the CPU only. Default: none. */
  readonly adapters?: {
    /** Most at once. */
    readonly most: number;
    readonly mostRank: number;
  };
  /** Generations that may wait for a slot. */
  readonly waitingGenerations: number;
  /** A step that takes longer is taken for hung; only of an engine in its thread. Default 30,000. */
  readonly stepTimeoutMs?: number;
  /** How long an idle compute thread spins before it sleeps, in microseconds; 0 for not at all. Default 50. */
  readonly spinMicroseconds?: number;
  /** Default CPU. */
  readonly executionProvider?: ExecutionProvider;
  /** Of the host's ledger, in a thread. */
  readonly ledgerPage?: SharedArrayBuffer;
}

/** The embedded engine in the calling thread. */
export function onnxEngine(options: OnnxEngineOptions): Engine {
  const { waitingGenerations, prefixCache: keepsPrefixes, prefixEviction, prefillOrder } = options;
  if (options.task === 'embed') {
    const waitingRequests = CONCURRENT_EMBEDDINGS + waitingGenerations;
    return new EmbeddingEngine({ waitingRequests, load: (signal) => loadEncoder(options, signal) });
  }
  const load = (signal: AbortSignal) => loadModel(options, signal);
  return new StepLoopEngine({ waitingGenerations, keepsPrefixes, prefixEviction, prefillOrder, load });
}

/** The embedded engine in a thread of its own: the process that holds it stays responsive. */
export function onnxEngineThread(options: OnnxEngineOptions): EngineThread {
  const { stepTimeoutMs } = options;
  const entry = new URL('./engine-thread-entry.js', import.meta.url);
  const ledger = new NativeLedger();
  const workerData: OnnxEngineOptions = { ...options, ledgerPage: ledger.page };
  return new EngineThread({ entry, workerData, stepTimeoutMs, onThreadGone: () => freeAbandoned(ledger) });
}

async function loadModel(options: OnnxEngineOptions, signal: AbortSignal): Promise<LoadedModel> {
  const compiled = await readCompiled(options);
  const prefill = await readPrefill(options, compiled);
  signal.throwIfAborted();
  const chunkTokens = chunkTokensOf(compiled.manifest);
  const { decodeGraphPath = compiled.graphPath } = prefill === undefined ? {} : compiled;
  const runner = await OnnxModelRunner.load(
    { ...decoderGraph(compiled), path: decodeGraphPath },
    {
      ...options,
      chunkTokens,
      prefillGraphPath: prefill?.graphPath,
      adapters: adapterRoom(options, compiled, prefill),
    },
  );
  try {
    trimNativeHeap();
    await joinHugePages(signal);
    signal.throwIfAborted();
    const kernels = options.numerics === 'exact' ? exactKernels() : undefined;
    return { runner, description: await describeModel(options, compiled, prefill, runner), kernels };
  } catch (error) {
    await runner.close();
    throw error;
  }
}

/** A slot more than adapters, for another version of one that is in use. */
function adapterRoom(
  { adapters }: OnnxEngineOptions,
  compiled: CompiledModel,
  prefill: CompiledModel | undefined,
): OnnxModelRunnerOptions['adapters'] {
  const decodeGraph = adapterGraphOf(compiled, prefill !== undefined);
  const prefillGraph = prefill && adapterGraphOf(prefill);
  if (adapters === undefined || adapters.most === 0 || decodeGraph === undefined) return undefined;
  const graphs = { decode: decodeGraph, prefill: prefillGraph };
  return { graphs, slots: adapters.most + 1, mostRank: adapters.mostRank };
}

/** Machines of one kind compute the same bits; another kind may not, which exact numerics do not forgive. */
function exactKernels(): string {
  return [process.arch, cpus()[0]?.model.trim() ?? '', locateOrtLibrary().version].join(' ');
}

async function loadEncoder(options: OnnxEngineOptions, signal: AbortSignal): Promise<LoadedEncoder> {
  const compiled = await readCompiled(options);
  signal.throwIfAborted();
  const { vocabularySize, contextTokens, embeddingDimensions: dimensions } = compiled.manifest;
  if (dimensions === undefined) throw new Error(`${compiled.folder} is compiled to generate, not to embed.`);
  const graph = { path: compiled.graphPath, vocabularySize, contextTokens, dimensions };
  const runner = await OnnxEncoderRunner.load(graph, options);
  try {
    trimNativeHeap();
    await joinHugePages(signal);
    signal.throwIfAborted();
    return { runner, description: await describeEncoder(options, compiled, runner) };
  } catch (error) {
    await runner.close();
    throw error;
  }
}

async function readCompiled({ compiledFolder, numerics }: OnnxEngineOptions): Promise<CompiledModel> {
  const compiled = await readCompiledModel(compiledFolder);
  const { weights } = compiled.manifest;
  if (numerics === 'exact' && weights !== 'fp32') {
    throw new Error(`Exact numerics take fp32 weights; ${compiledFolder} is compiled to ${weights}.`);
  }
  if (weights === 'w8a8' && !(await hasByteProducts())) throw new ByteProductsError();
  return compiled;
}

/** @throws Error when it is not the same model */
async function readPrefill({ prefillFolder }: OnnxEngineOptions, compiled: CompiledModel) {
  if (prefillFolder === undefined) return undefined;
  const prefill = await readCompiledModel(prefillFolder);
  const { path: _, ...shape } = decoderGraph(prefill);
  if (
    prefill.manifest.weights !== 'fp32' ||
    !isDeepStrictEqual({ ...shape, path: compiled.graphPath }, decoderGraph(compiled))
  ) {
    throw new Error(`${prefillFolder} does not hold the model of ${compiled.folder} in fp32.`);
  }
  return prefill;
}

function decoderGraph({ graphPath, manifest }: CompiledModel): DecoderGraph {
  const { layers, kvHeads, headDim, vocabularySize, contextTokens } = manifest;
  return { path: graphPath, layers, kvHeads, headDim, vocabularySize, contextTokens };
}

async function describeModel(
  options: OnnxEngineOptions,
  compiled: CompiledModel,
  prefill: CompiledModel | undefined,
  { limits }: OnnxModelRunner,
): Promise<LoadedModel['description']> {
  return {
    engine: 'onnx',
    textFiles: options.textFiles,
    model: {
      ...(await describeCompiled(options, compiled, prefill)),
      contextTokens: limits.contextTokens,
      blockTokens: BLOCK_TOKENS,
      vocabularySize: limits.vocabularySize,
      kvBytesPerToken: limits.kvBytesPerToken,
      maxRunningSequences: limits.slots,
      unsupportedParameters: [...UNSUPPORTED_PARAMETERS],
      tasks: ['generate'],
      stepTokenBudget: limits.chunkTokens,
    },
  };
}

/** It has no KV, so nothing of it is to be found again by prefix. */
async function describeEncoder(
  options: OnnxEngineOptions,
  compiled: CompiledModel,
  { limits }: OnnxEncoderRunner,
): Promise<EngineDescription> {
  return {
    engine: 'onnx',
    textFiles: options.textFiles,
    model: {
      ...(await describeCompiled(options, compiled)),
      contextTokens: limits.contextTokens,
      blockTokens: 0,
      vocabularySize: limits.vocabularySize,
      kvBytesPerToken: 0,
      maxRunningSequences: CONCURRENT_EMBEDDINGS,
      unsupportedParameters: ['dimensions'],
      tasks: ['embed'],
      prefillOrder: '',
      stepTokenBudget: limits.batchTokens,
    },
  };
}

async function describeCompiled(
  { modelId, textFiles, numerics = 'fast' }: OnnxEngineOptions,
  { graphPath, manifest: { fingerprint, weights } }: CompiledModel,
  prefill?: CompiledModel,
) {
  const parts = [fingerprint, numerics, ...(prefill === undefined ? [] : [prefill.manifest.fingerprint])];
  return {
    modelId,
    modelFingerprint: createHash('sha256').update(parts.join(' ')).digest('hex'),
    textFingerprint: textFingerprint(textFiles),
    numerics,
    weights: prefill === undefined ? weights : `${weights}+${prefill.manifest.weights}`,
    createdUnixS: Math.floor((await stat(graphPath)).mtimeMs / 1_000),
  };
}
