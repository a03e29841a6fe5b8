import type { AdapterRoom } from './adapters/adapter-room.js';
import type { BlockMemory } from './prefix/block-memory.js';
import type { PromptEndMemory } from './prefix/prompt-end-memory.js';

/**
 * Runs the model's forward passes for the step loop: the port under it. One caller, one pass at a time.
 *
 * A *slot* is the contiguous KV of one live sequence, numbered from 0 to `slots` - 1. The step loop owns the slots'
 * assignment and sees to it that their memory, in whole pages, never exceeds `kvTotalBytes`; a runner only reads and
 * writes them.
 */
export abstract class ModelRunner {
  abstract readonly limits: ModelRunnerLimits;
  /** Room for blocks of prefixes. Runners without it compute every prompt anew. */
  readonly blocks?: BlockMemory;
  /** Room for the ends of prompts, beside that for blocks. Runners without it compute at least the last token of each prompt. */
  readonly promptEnds?: PromptEndMemory;
  /** Room for LoRA adapters. Runners without it serve the model alone. */
  readonly adapters?: AdapterRoom;
  /**
   * Begins a sequence in a free slot, in which what was kept of it stands already. Runners that bring more of
   * its prefix, or need to know, have it. It may take time, in which the other slots go on.
   * @returns how many leading tokens the slot now holds: `heldTokens`, or more but less than `tokenIds.length`
   */
  openSlot?(opening: SlotOpening, signal: AbortSignal): number | Promise<number>;
  /** The sequence has left the slot: its memory serves other slots from now on. */
  closeSlot?(slot: number): void;
  /**
   * Memory of a slot beyond `tokens` positions, in whole pages, serves other slots from now on. Runners that have it let slots rest:
   * what a sequence leaves stands in its slot until that is closed, or is opened again without.
   */
  trimSlot?(slot: number, tokens: number): void;
  /**
   * Copies the first `tokens` positions of a slot to another, whose contents are gone then. Between two passes only.
   * Runners without it compute the prompt of each of `n` sequences anew.
   */
  readonly copySlot?: (copy: SlotCopy) => void;
  /**
   * Takes a sequence, of which the slot holds `tokens`, to a free slot; the one it leaves is closed then. Between two
   * passes only. Runners without it compute rows of a decode whose slots are not neighbours in several runs.
   */
  readonly moveSlot?: (move: SlotCopy) => void;
  /**
   * Computes one chunk of a prompt, positions [position, position + tokenIds.length), into a slot.
   * @returns logits, shape [1, vocabularySize] of the last token or [tokenIds.length, vocabularySize] of all, as asked for
   */
  abstract prefill(chunk: PrefillChunk): Promise<Logits | undefined>;
  /**
   * Computes whole prompts together, each from its first position, as if each were one chunk. Their slots are neighbours, in order, and
   * each has memory for as many positions as the longest. Runners that have it say in `promptRun` how much they take.
   * @returns logits of the last token of each, shape [prompts.length, vocabularySize]
   */
  prefillTogether?(prompts: readonly Prompt[]): Promise<Logits>;
  /**
   * Computes one token for each row. Rows have distinct slots.
   * @returns logits, shape [rows.length, vocabularySize]
   */
  abstract decode(rows: readonly DecodeRow[]): Promise<Logits>;
  /** Frees what it holds. Idempotent. */
  abstract close(): Promise<void>;
}

export interface ModelRunnerLimits {
  readonly contextTokens: number;
  readonly vocabularySize: number;
  /** Sequences that may be live at once. */
  readonly slots: number;
  /** Most rows of one `decode`; the step loop splits beyond it. */
  readonly decodeRows: number;
  /** Most tokens of one `prefill`. */
  readonly chunkTokens: number;
  /** Most tokens of one `prefill` in a step that decodes, too. Default: `chunkTokens`. */
  readonly chunkBesideDecode?: ChunkBesideDecode;
  /** Most tokens of one `prefill` that gives all their logits; bounds their memory. Default: `chunkTokens`. */
  readonly allLogitsTokens?: number;
  /** Most calls of `prefill` in one step, of different slots. Default 1: a long prompt must not stall running streams. */
  readonly chunksPerStep?: number;
  /** What one call of `prefillTogether` takes. Default: it is not called. */
  readonly promptRun?: PromptRunLimits;
  readonly kvBytesPerToken: number;
  readonly kvTotalBytes: number;
  /**
   * Whether logits are equal to the bit however rows are batched and prompts are cut, as far as a position is computed by the
   * same kernels: the loop then sees to that, also when it computes one again. Its prompts are exact, too. Default false.
   */
  readonly isExact?: boolean;
  /**
   * Whether positions that `prefill` computes are equal to the bit however prompts are cut. Each chunk then begins at an even position,
   * and the runner computes another row with an odd number of tokens, which nobody sees, so that none is a row alone. `chunkTokens` and
   * the like are at least 2. Default false.
   */
  readonly hasExactPrompts?: boolean;
  /** A slot's memory grows by pages of so many tokens. The whole context where slots cannot grow. Default 1. */
  readonly kvPageTokens?: number;
}

/**
 * The token budget of a prompt beside running streams, which wait for it: the more of them there are, the longer their own
 * part of the step is, and the longer the prompt's may be.
 */
export interface ChunkBesideDecode {
  readonly leastTokens: number;
  /** Tokens for each row, while nothing is known of how long they take. */
  readonly tokensPerRow: number;
  /** A step takes at most so many times as long as its rows alone, as far as `leastTokens` allow it. Default: its time does not matter. */
  readonly mostSlowdown?: number;
}

/** Rows of a run of whole prompts: as many for each of them as the longest has. */
export interface PromptRunLimits {
  readonly mostPrompts: number;
  readonly mostRows: number;
}

/** Rows that a run of whole prompts has for each of them: those of the longest, and an even number. */
export function rowsOfEachPrompt(promptTokens: readonly number[]): number {
  const longest = Math.max(...promptTokens);
  return longest + (longest % 2);
}

export interface SlotOpening extends Adapted {
  readonly slot: number;
  readonly generationId: string;
  readonly sequenceIndex: number;
  /** The prompt, then what was accepted from an earlier attempt. */
  readonly tokenIds: ArrayLike<number>;
  readonly promptTokens: number;
  /** Leading tokens that the slot holds already. */
  readonly heldTokens: number;
}

export interface PrefillChunk extends Adapted {
  readonly slot: number;
  /** Position of the first token; the slot holds [0, position). */
  readonly position: number;
  readonly tokenIds: ArrayLike<number>;
  /** Whose logits are wanted: the last token's at a prompt's end, all for log-probabilities of the prompt. */
  readonly logitsFor: 'none' | 'last' | 'all';
}

/** Whose adapter is added to the model. */
interface Adapted {
  /** Slot of the runner's adapters; absent for the model alone. */
  readonly adapterSlot?: number | undefined;
}

/** A prompt of which nothing is computed yet. */
export interface Prompt extends Adapted {
  readonly slot: number;
  readonly tokenIds: ArrayLike<number>;
}

export interface SlotCopy {
  readonly from: number;
  readonly to: number;
  /** Positions that are copied; `from` holds at least as many. */
  readonly tokens: number;
}

/** Chosen: a few dozen rows of a large vocabulary; more rows per pass are hardly faster. */
const ALL_LOGITS_BYTES = 16 * 1024 * 1024;

/** Most tokens of a chunk that gives the logits of all, so that they take at most 16 MiB. */
export function allLogitsTokens(chunkTokens: number, vocabularySize: number): number {
  return Math.max(3, Math.min(chunkTokens, Math.floor(ALL_LOGITS_BYTES / (vocabularySize * 4))));
}

export interface DecodeRow extends Adapted {
  readonly slot: number;
  /** Position of `tokenId`; the slot holds [0, position). */
  readonly position: number;
  readonly tokenId: number;
}

/** Row-major logits, shape [rows, vocabularySize], float32; valid until the runner's next call. */
export interface Logits {
  readonly rows: number;
  readonly data: Float32Array;
}
