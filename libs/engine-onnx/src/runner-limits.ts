import { allLogitsTokens, type ModelRunnerLimits } from '#lib/engine';
import type { DecoderGraph } from './runtime/decoder-graph.js';
import { kvBytesPerToken } from './runtime/kv-memory.js';
import type { OrtSessionOptions } from './runtime/ort-session-options.js';

/** Rows of a decode at most, unless asked otherwise: on two cores, int4 and int8 gain nothing beyond 32 (November 2026). */
const DEFAULT_DECODE_ROWS = 32;
/** Tokens of a chunk at most, unless asked otherwise: longer ones are no faster (measured November 2026). */
const DEFAULT_CHUNK_TOKENS = 256;

export interface OnnxModelRunnerOptions extends OrtSessionOptions {
  /** Memory for KV, in bytes. Decides how many slots there are. */
  readonly kvBytes: number;
  /** Positions of a slot. Default: as many as the model can compute. */
  readonly contextTokens?: number;
  readonly decodeRows?: number;
  readonly chunkTokens?: number;
}

/** The memory given for KV does not hold one sequence. */
export class KvMemoryTooSmallError extends Error {
  override readonly name = 'KvMemoryTooSmallError';

  constructor(
    readonly kvBytes: number,
    readonly slotBytes: number,
    readonly contextTokens: number,
  ) {
    super(
      `${kvBytes} bytes of KV memory do not hold one sequence of ${contextTokens} tokens, which takes ${slotBytes} bytes; ` +
        'raise kvBytes or lower contextTokens.',
    );
  }
}

/**
 * Divides the memory for KV into slots of the whole context.
 * @throws KvMemoryTooSmallError when not one fits
 */
export function planLimits(graph: DecoderGraph, options: OnnxModelRunnerOptions): ModelRunnerLimits {
  const contextTokens = options.contextTokens ?? graph.contextTokens;
  if (contextTokens < 1 || contextTokens > graph.contextTokens) {
    throw new RangeError(
      `contextTokens is ${contextTokens}; the model computes 1 to ${graph.contextTokens} positions.`,
    );
  }
  const bytesPerToken = kvBytesPerToken(graph);
  const slotBytes = contextTokens * bytesPerToken;
  const slots = Math.floor(options.kvBytes / slotBytes);
  if (slots < 1) throw new KvMemoryTooSmallError(options.kvBytes, slotBytes, contextTokens);
  const chunkTokens = Math.min(contextTokens, options.chunkTokens ?? DEFAULT_CHUNK_TOKENS);
  return {
    contextTokens,
    vocabularySize: graph.vocabularySize,
    slots,
    decodeRows: Math.min(slots, options.decodeRows ?? DEFAULT_DECODE_ROWS),
    chunkTokens,
    allLogitsTokens: allLogitsTokens(chunkTokens, graph.vocabularySize),
    kvBytesPerToken: bytesPerToken,
    kvTotalBytes: slots * slotBytes,
  };
}
