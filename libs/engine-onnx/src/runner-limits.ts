import { allLogitsTokens, type ChunkBesideDecode, type ModelRunnerLimits } from '#lib/engine';
import type { Numerics } from './compiled-model.js';
import type { GraphFiles } from './model-sessions.js';
import type { AdapterGraph } from './runtime/adapter-graph.js';
import type { DecoderGraph } from './runtime/decoder-graph.js';
import { kvBytesPerToken, kvPageTokens } from './runtime/kv-memory.js';
import type { OrtSessionOptions } from './runtime/ort-session-options.js';
import { VirtualMemory } from './runtime/virtual-memory.js';

/**
 * Sequences that run at once, and rows of a decode, unless asked otherwise: on two cores, int4 and int8 gain nothing beyond
 * 32 (November 2026), and each further one makes all the others slower.
 */
const DEFAULT_SEQUENCES = 32;
/** Tokens of a chunk at most, unless asked otherwise: longer ones are no faster (measured November 2026). */
const DEFAULT_CHUNK_TOKENS = 256;

/**
 * Rows of a run of whole prompts at most, in chunks. Chosen: a dozen prompts of a sentence or two at once, of which such a run takes 0.6 times
 * as long as of one after another (8 of 35 tokens, SmolLM2 in fp32, 2 cores: 233 ms against 399; November 29, 2026).
 */
const PROMPT_RUN_CHUNKS = 2;

/**
 * With it a step takes at most three times as long as its decode rows alone. Measured on SmolLM2 in int4, 2 cores, November
 * 2026: 8 rows take 25 ms, and a chunk of 20 tokens 40 ms at position 500.
 */
const DEFAULT_CHUNK_BESIDE_DECODE: ChunkBesideDecode = { leastTokens: 20, tokensPerRow: 2.5 };
/**
 * Where it does not matter for a prompt how it is cut, the time that steps take decides, and the same schedule gives the same bits all the same.
 * Chosen: fewer than 12 tokens cost nearly as much as 12, since all weights are read for them.
 */
const CHUNK_BESIDE_DECODE_BY_TIME: ChunkBesideDecode = { leastTokens: 12, tokensPerRow: 2.5, mostSlowdown: 3 };

export interface OnnxModelRunnerOptions extends OrtSessionOptions {
  /** Most memory for KV, in bytes. */
  readonly kvBytes: number;
  /** The same model in fp32, which computes all prompts. Default: one form computes all. */
  readonly prefillGraphPath?: string;
  /** Room for adapters; on the CPU only. Default: none. */
  readonly adapters?: {
    /** Of the graphs that adapters add to, in the forms of those that compute without. */
    readonly graphs: GraphFiles<AdapterGraph>;
    /** Most at once. */
    readonly slots: number;
    readonly mostRank: number;
  };
  /** Default `fast`. */
  readonly numerics?: Numerics;
  /** Most tokens of a sequence. Default: as many as the model can compute and the memory holds. */
  readonly contextTokens?: number;
  /** Most sequences at once. Default 32. */
  readonly maxSequences?: number;
  readonly decodeRows?: number;
  readonly chunkTokens?: number;
  readonly chunkBesideDecode?: ChunkBesideDecode;
}

/** The memory given for KV does not hold one sequence. */
export class KvMemoryTooSmallError extends Error {
  override readonly name = 'KvMemoryTooSmallError';

  constructor(
    readonly kvBytes: number,
    readonly neededBytes: number,
    readonly contextTokens: number,
  ) {
    super(
      `${kvBytes} bytes of KV memory do not hold one sequence of ${contextTokens} tokens, which takes ${neededBytes} bytes; ` +
        'raise kvBytes or lower contextTokens.',
    );
  }
}

/**
 * Slots that grow page by page in the CPU's virtual memory, where sequences share `kvBytes` as they need it. Elsewhere, on
 * GPUs, slots of the whole context: as many as `kvBytes` holds.
 * @throws KvMemoryTooSmallError when not one sequence of the context that was asked for fits, or not one at all
 */
export function planLimits(graph: DecoderGraph, options: OnnxModelRunnerOptions): ModelRunnerLimits {
  const wantedTokens = options.contextTokens ?? graph.contextTokens;
  if (wantedTokens < 1 || wantedTokens > graph.contextTokens) {
    throw new RangeError(`contextTokens is ${wantedTokens}; the model computes 1 to ${graph.contextTokens} positions.`);
  }
  const bytesPerToken = kvBytesPerToken(graph);
  const pageTokens = growthTokens(graph, options) ?? wantedTokens;
  const kvTokens = Math.floor(options.kvBytes / (pageTokens * bytesPerToken)) * pageTokens;
  const leastTokens = options.contextTokens ?? pageTokens;
  if (kvTokens < leastTokens) {
    const neededBytes = wholePages(leastTokens, pageTokens) * bytesPerToken;
    throw new KvMemoryTooSmallError(options.kvBytes, neededBytes, leastTokens);
  }
  const contextTokens = Math.min(wantedTokens, kvTokens);
  const slots = Math.min(kvTokens / pageTokens, options.maxSequences ?? DEFAULT_SEQUENCES);
  const isOnCpu = options.executionProvider?.kind !== 'cuda';
  const decodeRows = Math.min(slots, options.decodeRows ?? DEFAULT_SEQUENCES);
  const chunkTokens = Math.min(contextTokens, options.chunkTokens ?? DEFAULT_CHUNK_TOKENS);
  const hasExactPrompts = options.numerics === 'exact' || options.prefillGraphPath !== undefined;
  const besideDecode = hasExactPrompts ? CHUNK_BESIDE_DECODE_BY_TIME : DEFAULT_CHUNK_BESIDE_DECODE;
  return {
    contextTokens,
    vocabularySize: graph.vocabularySize,
    slots,
    decodeRows,
    chunkTokens,
    chunkBesideDecode: options.chunkBesideDecode ?? besideDecode,
    promptRun: isOnCpu ? { mostPrompts: decodeRows, mostRows: PROMPT_RUN_CHUNKS * chunkTokens } : undefined,
    allLogitsTokens: allLogitsTokens(chunkTokens, graph.vocabularySize),
    kvBytesPerToken: bytesPerToken,
    kvTotalBytes: kvTokens * bytesPerToken,
    kvPageTokens: pageTokens,
    isExact: options.numerics === 'exact',
    hasExactPrompts,
  };
}

/** Positions of a slot: the context in whole pages. */
export function slotTokens({ contextTokens, kvPageTokens: pageTokens = 1 }: ModelRunnerLimits): number {
  return wholePages(contextTokens, pageTokens);
}

/** Tokens by which slots grow, or nothing where they cannot. */
function growthTokens({ headDim }: DecoderGraph, { executionProvider }: OnnxModelRunnerOptions): number | undefined {
  const pageBytes = executionProvider?.kind === 'cuda' ? undefined : VirtualMemory.pageBytes();
  return pageBytes === undefined ? undefined : kvPageTokens(headDim, pageBytes);
}

function wholePages(tokens: number, pageTokens: number): number {
  return Math.ceil(tokens / pageTokens) * pageTokens;
}
