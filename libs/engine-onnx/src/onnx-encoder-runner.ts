import { type EncoderLimits, EncoderRunner } from '#lib/engine';
import { checkEncoderGraph, type EncoderGraph } from './runtime/encoder-graph.js';
import { OrtRuntime } from './runtime/ort-runtime.js';
import { OrtSession } from './runtime/ort-session.js';
import type { OrtSessionOptions } from './runtime/ort-session-options.js';

/**
 * Tokens of a pass at most, those that fill up included. Measured 2026-11-25, MiniLM on 2 AVX2 cores, inputs of 128 tokens:
 * 7,400 tokens/s alone, 8,000 in passes of 256, 8,400 to 8,500 at 512 and 1,024, less beyond. What comes next waits for
 * the pass, here for 0.12 s (bench/embeddings.mjs --passes).
 */
const DEFAULT_BATCH_TOKENS = 1_024;

export interface OnnxEncoderRunnerOptions extends OrtSessionOptions {
  /** Most tokens of one input. Default: as many as the model can compute. */
  readonly contextTokens?: number;
  /** Default 1,024, at least one whole input. */
  readonly batchTokens?: number;
}

/** Runs a compiled encoder on ONNX Runtime. */
export class OnnxEncoderRunner extends EncoderRunner {
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly runtime: OrtRuntime,
    private readonly session: OrtSession,
    readonly limits: EncoderLimits,
  ) {
    super();
  }

  /** @throws DecoderGraphError, OrtError or OrtLibraryError when the model or the library cannot be used */
  static async load(graph: EncoderGraph, options: OnnxEncoderRunnerOptions): Promise<OnnxEncoderRunner> {
    const { contextTokens = graph.contextTokens, batchTokens = DEFAULT_BATCH_TOKENS } = options;
    if (contextTokens < 1 || contextTokens > graph.contextTokens) {
      throw new RangeError(
        `contextTokens is ${contextTokens}; the model computes 1 to ${graph.contextTokens} positions.`,
      );
    }
    const { dimensions, vocabularySize } = graph;
    const runtime = OrtRuntime.open();
    let session: OrtSession | undefined;
    try {
      session = await OrtSession.load(runtime, graph.path, options);
      checkEncoderGraph(graph, session);
      const limits = { contextTokens, vocabularySize, dimensions, batchTokens: Math.max(contextTokens, batchTokens) };
      return new OnnxEncoderRunner(runtime, session, limits);
    } catch (error) {
      await session?.close();
      runtime.close();
      throw error;
    }
  }

  override async encode(inputs: readonly (readonly number[])[]): Promise<Float32Array> {
    if (this.closing !== undefined) throw new Error('The encoder is closed.');
    const rows = inputs.length;
    const longest = Math.max(...inputs.map(({ length }) => length));
    this.check(inputs, longest);
    const tokenIds = new BigInt64Array(rows * longest);
    const mask = new Int32Array(rows * longest);
    inputs.forEach((input, row) => {
      const start = row * longest;
      for (let index = 0; index < input.length; index++) tokenIds[start + index] = BigInt(input[index]!);
      mask.fill(1, start, start + input.length);
    });
    const vectors = new Float32Array(rows * this.limits.dimensions);
    const binding = this.session.createBinding();
    try {
      binding.bindInput('input_ids', tokenIds, 'int64', [rows, longest]);
      binding.bindInput('attention_mask', mask, 'int32', [rows, longest]);
      binding.bindOutput('vectors', vectors, 'float32', [rows, this.limits.dimensions]);
      await this.session.run(binding);
    } finally {
      binding.close();
    }
    return vectors;
  }

  /** Idempotent. A pass that runs is ended early and rejects. */
  override close(): Promise<void> {
    this.closing ??= this.session.close().then(() => this.runtime.close());
    return this.closing;
  }

  /** What lies outside would be read outside of the tables: the kernels do not look. */
  private check(inputs: readonly (readonly number[])[], longest: number): void {
    const { contextTokens, vocabularySize, batchTokens } = this.limits;
    if (inputs.length < 1 || inputs.some(({ length }) => length < 1) || longest > contextTokens) {
      throw new RangeError(`A pass has inputs of 1 to ${contextTokens} tokens.`);
    }
    if (inputs.length * longest > batchTokens) throw new RangeError(`A pass has at most ${batchTokens} tokens.`);
    for (const input of inputs) {
      const stranger = input.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
      if (stranger !== undefined) {
        throw new RangeError(`Token ${stranger} is not in a vocabulary of ${vocabularySize}.`);
      }
    }
  }
}
