import {
  type DecodeRow,
  type Logits,
  ModelRunner,
  type ModelRunnerLimits,
  type PrefillChunk,
  type SlotOpening,
} from '../src/model-runner.js';

export const SYNTHETIC_VOCABULARY = 64;

export interface SyntheticModelRunnerOptions extends Partial<ModelRunnerLimits> {
  /** Called in each run: tests hold it up or break it here. */
  readonly onRun?: () => Promise<void> | void;
  /** Leading tokens that a slot holds when it is opened. */
  readonly heldTokens?: (opening: SlotOpening) => number | Promise<number>;
}

/**
 * A model whose logits depend on every token in the slot, so that a slot that is mixed up, skipped or overwritten shows in
 * the tokens. It refuses what a runner is never to be asked for.
 */
export class SyntheticModelRunner extends ModelRunner {
  override readonly limits: ModelRunnerLimits;
  private readonly slots: number[][];
  isClosed = false;

  constructor(private readonly options: SyntheticModelRunnerOptions = {}) {
    super();
    const { onRun: _, heldTokens: __, ...limits } = options;
    this.limits = {
      contextTokens: 128,
      vocabularySize: SYNTHETIC_VOCABULARY,
      slots: 4,
      decodeRows: 4,
      chunkTokens: 8,
      kvBytesPerToken: 1,
      kvTotalBytes: 4 * 128,
      ...limits,
    };
    this.slots = Array.from({ length: this.limits.slots }, () => []);
  }

  override async openSlot(opening: SlotOpening): Promise<number> {
    const held = (await this.options.heldTokens?.(opening)) ?? 0;
    this.slots[opening.slot] = Array.prototype.slice.call(opening.tokenIds, 0, held);
    return held;
  }

  override async prefill({ slot, position, tokenIds, wantsLogits }: PrefillChunk): Promise<Logits | undefined> {
    await this.options.onRun?.();
    if (tokenIds.length > this.limits.chunkTokens) throw new Error(`a chunk of ${tokenIds.length} tokens`);
    this.write(slot, position, Array.from(tokenIds));
    return wantsLogits ? this.logitsOf([slot]) : undefined;
  }

  override async decode(rows: readonly DecodeRow[]): Promise<Logits> {
    await this.options.onRun?.();
    if (rows.length === 0 || rows.length > this.limits.decodeRows) throw new Error(`${rows.length} decode rows`);
    if (new Set(rows.map(({ slot }) => slot)).size < rows.length) throw new Error('two rows of one slot');
    for (const { slot, position, tokenId } of rows) this.write(slot, position, [tokenId]);
    return this.logitsOf(rows.map(({ slot }) => slot));
  }

  override async close(): Promise<void> {
    this.isClosed = true;
  }

  private write(slot: number, position: number, tokenIds: number[]): void {
    const held = this.slots[slot];
    if (held === undefined) throw new Error(`slot ${slot} does not exist`);
    if (position > held.length) throw new Error(`position ${position} of a slot that holds ${held.length} tokens`);
    if (position + tokenIds.length > this.limits.contextTokens) throw new Error('beyond the context');
    this.slots[slot] = [...held.slice(0, position), ...tokenIds];
  }

  private logitsOf(slots: readonly number[]): Logits {
    const data = new Float32Array(slots.length * SYNTHETIC_VOCABULARY);
    for (const [row, slot] of slots.entries()) {
      let state = 17;
      for (const tokenId of this.slots[slot]!) state = Math.imul(state ^ tokenId, 0x9e3779b1) ^ (state >>> 15);
      for (let id = 0; id < SYNTHETIC_VOCABULARY; id++) {
        state = (Math.imul(state, 0x41c64e6d) + 0x3039) | 0;
        data[row * SYNTHETIC_VOCABULARY + id] = ((state >>> 8) % 1_000) / 125;
      }
    }
    return { rows: slots.length, data };
  }
}
