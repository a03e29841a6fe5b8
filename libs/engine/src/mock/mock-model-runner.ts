import {
  allLogitsTokens,
  type DecodeRow,
  type Logits,
  ModelRunner,
  type ModelRunnerLimits,
  type PrefillChunk,
  type SlotOpening,
} from '../model-runner.js';
import type { BlockMemory } from '../prefix/block-memory.js';
import { MockAdapters } from './mock-adapters.js';
import { MockText } from './mock-text.js';
import { StepPace } from './step-pace.js';

export interface MockModelRunnerOptions {
  /** From admission to the first token, in milliseconds, when nothing of the prompt is cached. */
  readonly ttftMs: number;
  /** Duration of a decode step, in milliseconds; 0 steps as fast as it can. */
  readonly itlMs: number;
  readonly kvTokens: number;
  readonly slots: number;
  readonly contextTokens: number;
  readonly prefixCache: boolean;
  /** The n-th, 2n-th, … generation fails after its third token; 0 never. */
  readonly failEveryRequests: number;
  /** The engine itself breaks after the third token of the n-th, 2n-th, … generation since its start; 0 never. */
  readonly crashEveryRequests?: number;
  /** Adapters at once. Default 8. */
  readonly maxAdapters?: number;
}

export const MOCK_BLOCK_TOKENS = 16;
/** Chosen: the order of a small model's. Only ratios matter. */
export const MOCK_KV_BYTES_PER_TOKEN = 1_024;

const DEFAULT_ADAPTERS = 8;
const TOKENS_BEFORE_FAILURE = 3;
/** The next byte's logit, and the end token's once the answer is over: no temperature makes another token likely. */
const NEXT_LOGIT = 500;
const END_LOGIT = 1_000;

interface MockSlot {
  readonly text: MockText;
  readonly promptTokens: number;
  /** Index of the end token in an answer that went on after it: no further one is offered. */
  endIgnoredAt: number;
  readonly isFailing: boolean;
  readonly isCrashing: boolean;
}

/** A model runner that computes nothing: deterministic text at a set pace, through the same step loop as a real one. */
export class MockModelRunner extends ModelRunner {
  override readonly limits: ModelRunnerLimits;
  private readonly pace: StepPace;
  /** There is no KV to be copied: what is kept is known by its hashes alone. */
  override readonly blocks?: BlockMemory;
  override readonly adapters: MockAdapters;
  private readonly slots = new Map<number, MockSlot>();
  private logits: Float32Array;
  private generations = 0;

  constructor(
    private readonly options: MockModelRunnerOptions,
    vocabularySize: number,
    private readonly eosTokenId: number,
  ) {
    super();
    const { slots, contextTokens, kvTokens } = options;
    this.limits = {
      contextTokens,
      vocabularySize,
      slots,
      decodeRows: slots,
      chunkTokens: contextTokens,
      allLogitsTokens: allLogitsTokens(contextTokens, vocabularySize),
      chunksPerStep: slots,
      kvBytesPerToken: MOCK_KV_BYTES_PER_TOKEN,
      kvTotalBytes: kvTokens * MOCK_KV_BYTES_PER_TOKEN,
    };
    this.adapters = new MockAdapters((options.maxAdapters ?? DEFAULT_ADAPTERS) + 1);
    this.pace = new StepPace(options.itlMs);
    this.blocks = options.prefixCache ? blocksWithout(kvTokens) : undefined;
    this.logits = new Float32Array(slots * vocabularySize);
  }

  /** The time of a prompt passes here rather than in `prefill`, so that prompts do not wait for each other. */
  override openSlot(opening: SlotOpening, signal: AbortSignal): number | Promise<number> {
    const { slot, adapterSlot, tokenIds, promptTokens, sequenceIndex, heldTokens } = opening;
    if (sequenceIndex === 0) this.generations++;
    const { failEveryRequests, crashEveryRequests = 0, ttftMs } = this.options;
    const acceptedIds: number[] = Array.prototype.slice.call(tokenIds, promptTokens);
    const endAt = acceptedIds.indexOf(this.eosTokenId);
    this.slots.set(slot, {
      text: new MockText([
        ...this.adapters.idsOf(adapterSlot),
        ...Array.prototype.slice.call(tokenIds, 0, promptTokens),
      ]),
      promptTokens,
      endIgnoredAt: endAt >= 0 ? endAt : Infinity,
      isFailing: failEveryRequests > 0 && this.generations % failEveryRequests === 0,
      isCrashing: crashEveryRequests > 0 && this.generations % crashEveryRequests === 0,
    });
    const delayMs = Math.ceil(ttftMs * (1 - heldTokens / tokenIds.length));
    return delayMs === 0 ? heldTokens : waited(delayMs, signal).then(() => heldTokens);
  }

  override closeSlot(slot: number): void {
    this.slots.delete(slot);
  }

  override async prefill({ slot, position, tokenIds, logitsFor }: PrefillChunk): Promise<Logits | undefined> {
    if (logitsFor === 'none') return undefined;
    const rows = logitsFor === 'all' ? tokenIds.length : 1;
    const length = rows * this.limits.vocabularySize;
    if (this.logits.length < length) this.logits = new Float32Array(length);
    const end = position + tokenIds.length;
    for (let row = 0; row < rows; row++) this.write(row, slot, end - rows + row + 1);
    return { rows, data: this.logits };
  }

  override async decode(rows: readonly DecodeRow[]): Promise<Logits> {
    await this.pace.step();
    for (const [row, { slot, position, tokenId }] of rows.entries()) {
      if (tokenId === this.eosTokenId) this.ignoreEnd(slot, position);
      this.write(row, slot, position + 1);
    }
    return { rows: rows.length, data: this.logits };
  }

  override async close(): Promise<void> {
    this.slots.clear();
  }

  /** The sequence goes on after its end token, as `ignore_eos` wants it. */
  private ignoreEnd(slot: number, position: number): void {
    const own = this.slots.get(slot)!;
    if (position >= own.promptTokens) own.endIgnoredAt = Math.min(own.endIgnoredAt, position - own.promptTokens);
  }

  /** Logits of the token that will stand at `position`. */
  private write(row: number, slot: number, position: number): void {
    const { vocabularySize } = this.limits;
    const own = this.logits.subarray(row * vocabularySize, (row + 1) * vocabularySize);
    const { text, promptTokens, endIgnoredAt, isFailing, isCrashing } = this.slots.get(slot)!;
    const index = Math.max(0, position - promptTokens);
    if (isCrashing && index >= TOKENS_BEFORE_FAILURE) throw new Error('the mock was told to break');
    own.fill(isFailing && index >= TOKENS_BEFORE_FAILURE ? Number.NaN : 0);
    if (Number.isNaN(own[0])) return;
    own[text.byteAt(index > endIgnoredAt ? index - 1 : index)] = NEXT_LOGIT;
    if (index >= text.endsAfter && index <= endIgnoredAt) own[this.eosTokenId] = END_LOGIT;
  }
}

/** Room for blocks of all KV there is, in which nothing stands. What leaves it is as large as a block, and zeros. */
function blocksWithout(kvTokens: number): BlockMemory {
  const places = Math.floor(kvTokens / MOCK_BLOCK_TOKENS);
  const blockBytes = MOCK_BLOCK_TOKENS * MOCK_KV_BYTES_PER_TOKEN;
  return {
    ...{ blockTokens: MOCK_BLOCK_TOKENS, placeTokens: MOCK_BLOCK_TOKENS, places, save() {}, load() {}, release() {} },
    exchange: { blockBytes, dtype: 'fp32', axes: 'token', read: () => new Uint8Array(blockBytes), write() {} },
  };
}

function waited(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, delayMs);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
