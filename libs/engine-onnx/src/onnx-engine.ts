import { stat } from 'node:fs/promises';
import {
  type EngineDescription,
  EngineThread,
  type LoadedModel,
  StepLoopEngine,
  textFingerprint,
  UNSUPPORTED_PARAMETERS,
} from '#lib/engine';
import type { TextFiles } from '#lib/tokens';
import type { CompiledModel } from './compiled-model.js';
import { OnnxModelRunner } from './onnx-model-runner.js';
import { readCompiledModel } from './read-compiled-model.js';
import type { DecoderGraph } from './runtime/decoder-graph.js';
import type { ExecutionProvider } from './runtime/ort-session-options.js';

/** Tokens per KV block that this engine announces, the unit of prefix reuse. */
const BLOCK_TOKENS = 16;

/** All an engine needs; plain data, so that it crosses into the engine's thread. */
export interface OnnxEngineOptions {
  /** Id under which the model is asked for. */
  readonly modelId: string;
  /** Folder that `compileModel` made. */
  readonly compiledFolder: string;
  readonly textFiles: TextFiles;
  /** Compute threads of a step. */
  readonly threads: number;
  /** Memory for KV, in bytes. */
  readonly kvBytes: number;
  /** Most tokens of prompt and output together. Default: as many as the graph computes. */
  readonly contextTokens?: number;
  /** Generations that may wait for a slot. */
  readonly waitingGenerations: number;
  /** A step that takes longer is taken for hung; only of an engine in its thread. Default 30,000. */
  readonly stepTimeoutMs?: number;
  /** Whether idle compute threads spin: faster on a machine that does nothing else. Default false. */
  readonly isSpinning?: boolean;
  /** Default CPU. */
  readonly executionProvider?: ExecutionProvider;
}

/** The embedded engine in the calling thread. */
export function onnxEngine(options: OnnxEngineOptions): StepLoopEngine {
  const { waitingGenerations } = options;
  return new StepLoopEngine({ waitingGenerations, load: (signal) => loadModel(options, signal) });
}

/** The embedded engine in a thread of its own: the process that holds it stays responsive. */
export function onnxEngineThread(options: OnnxEngineOptions): EngineThread {
  const { stepTimeoutMs } = options;
  const entry = new URL('./engine-thread-entry.js', import.meta.url);
  return new EngineThread({ entry, workerData: options, stepTimeoutMs });
}

async function loadModel(options: OnnxEngineOptions, signal: AbortSignal): Promise<LoadedModel> {
  const compiled = await readCompiledModel(options.compiledFolder);
  signal.throwIfAborted();
  const runner = await OnnxModelRunner.load(decoderGraph(compiled), options);
  try {
    signal.throwIfAborted();
    return { runner, description: await describeModel(options, compiled, runner) };
  } catch (error) {
    await runner.close();
    throw error;
  }
}

function decoderGraph({ graphPath, manifest }: CompiledModel): DecoderGraph {
  const { layers, kvHeads, headDim, vocabularySize, contextTokens } = manifest;
  return { path: graphPath, layers, kvHeads, headDim, vocabularySize, contextTokens };
}

async function describeModel(
  { modelId, textFiles }: OnnxEngineOptions,
  { graphPath, manifest }: CompiledModel,
  { limits }: OnnxModelRunner,
): Promise<EngineDescription> {
  return {
    engine: 'onnx',
    textFiles,
    model: {
      modelId,
      modelFingerprint: manifest.fingerprint,
      textFingerprint: textFingerprint(textFiles),
      contextTokens: limits.contextTokens,
      blockTokens: BLOCK_TOKENS,
      vocabularySize: limits.vocabularySize,
      numerics: manifest.numerics,
      weights: manifest.weights,
      kvBytesPerToken: limits.kvBytesPerToken,
      maxRunningSequences: limits.slots,
      unsupportedParameters: [...UNSUPPORTED_PARAMETERS],
      createdUnixS: Math.floor((await stat(graphPath)).mtimeMs / 1_000),
      tasks: ['generate'],
      stepTokenBudget: limits.chunkTokens,
    },
  };
}
