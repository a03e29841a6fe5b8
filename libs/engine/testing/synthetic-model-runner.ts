import {
  type DecodeRow,
  type Logits,
  ModelRunner,
  type ModelRunnerLimits,
  type PrefillChunk,
  type Prompt,
  rowsOfEachPrompt,
  type SlotCopy,
  type SlotOpening,
} from '../src/model-runner.js';
import type { BlockMemory } from '../src/prefix/block-memory.js';
import type { PromptEndMemory } from '../src/prefix/prompt-end-memory.js';

export const SYNTHETIC_VOCABULARY = 64;

export interface SyntheticModelRunnerOptions extends Partial<ModelRunnerLimits> {
  /** Called in each run: tests hold it up or break it here. */
  readonly onRun?: () => Promise<void> | void;
  /** Whether it copies slots. Default true. */
  readonly copiesSlots?: boolean;
  /** Whether it moves slots. Default true. */
  readonly movesSlots?: boolean;
  /** Whether it lets slots rest. Default false. */
  readonly restsSlots?: boolean;
  /** Places for blocks of prefixes. Default 0: it has no room for them. */
  readonly blockPlaces?: number;
  /** Tokens of a block, and what a place takes. Default 4, and as much as that. */
  readonly blockTokens?: number;
  readonly placeTokens?: number;
  /** Places for ends of prompts; each takes a token more than its positions. Default 0: it has no room for them. */
  readonly endPlaces?: number;
  /** Leading tokens that a slot holds when it is opened. */
  readonly heldTokens?: (opening: SlotOpening) => number | Promise<number>;
}

/** Beside a token that was computed alone, where that makes a difference. */
const ALONE = SYNTHETIC_VOCABULARY;

/**
 * A model whose logits depend on every token in the slot, so that a slot that is mixed up, skipped or overwritten shows in
 * the tokens. When its limits say that it, or its prompts, are exact, they also depend on which tokens were computed alone, as those of decodes
 * and the first of a chunk that begins at an odd position, and which in a chunk. It refuses what a runner is never to be asked for.
 */
export class SyntheticModelRunner extends ModelRunner {
  override readonly limits: ModelRunnerLimits;
  private readonly slots: number[][];
  /** Tokens that each slot has had since it was closed or trimmed: their memory is taken. */
  private readonly written: number[];
  isClosed = false;
  /** Tokens of all chunks. */
  prefilledTokens = 0;
  /** Runs of the model that decodes took: one for each range of neighbouring slots. */
  decodeRuns = 0;
  decodes = 0;
  moves = 0;
  /** Prompts of each run of several. */
  readonly promptRuns: number[] = [];
  /** What stands in each place. */
  private readonly places = new Map<number, number[]>();
  private readonly ends = new Map<number, { readonly tail: number[]; readonly logits: Float32Array }>();
  override readonly blocks?: BlockMemory;
  override readonly promptEnds?: PromptEndMemory;
  /** Times that a prompt's end was brought. */
  recalls = 0;
  override readonly copySlot?: (copy: SlotCopy) => void;
  override readonly moveSlot?: (move: SlotCopy) => void;
  override readonly trimSlot?: (slot: number, tokens: number) => void;

  constructor(private readonly options: SyntheticModelRunnerOptions = {}) {
    super();
    const { onRun: _, heldTokens: __, copiesSlots = true, movesSlots = true, restsSlots = false, ...rest } = options;
    const { blockPlaces = 0, blockTokens = 4, placeTokens = blockTokens, endPlaces = 0, ...limits } = rest;
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
    this.written = this.slots.map(() => 0);
    if (blockPlaces > 0) this.blocks = this.blockMemory(blockPlaces, blockTokens, placeTokens);
    if (endPlaces > 0) this.promptEnds = this.endMemory(endPlaces);
    if (copiesSlots) this.copySlot = (copy) => this.copy(copy);
    if (movesSlots) this.moveSlot = (move) => this.move(move);
    if (restsSlots) this.trimSlot = (slot, tokens) => this.trim(slot, tokens);
  }

  override async openSlot(opening: SlotOpening): Promise<number> {
    const { slot, tokenIds, promptTokens, heldTokens } = opening;
    const own = this.slots[slot]!;
    const isRight = this.trimSlot === undefined ? own.length === heldTokens : own.length >= heldTokens;
    if (!isRight) throw new Error(`slot ${slot} holds ${own.length} tokens, not ${heldTokens}`);
    own.length = heldTokens;
    const held = Math.max(heldTokens, (await this.options.heldTokens?.(opening)) ?? 0);
    const isAlone = (position: number) => position >= promptTokens;
    for (let at = heldTokens; at < held; at++) this.slots[slot]!.push(this.marked(tokenIds[at]!, isAlone(at)));
    this.checkMemory();
    return held;
  }

  override closeSlot(slot: number): void {
    this.slots[slot] = [];
    this.written[slot] = 0;
  }

  override async prefill({ slot, position, tokenIds, logitsFor }: PrefillChunk): Promise<Logits | undefined> {
    await this.options.onRun?.();
    if (tokenIds.length > this.limits.chunkTokens) throw new Error(`a chunk of ${tokenIds.length} tokens`);
    this.prefilledTokens += tokenIds.length;
    this.write(slot, position, Array.from(tokenIds), position % 2 === 0 ? 0 : 1);
    if (logitsFor === 'none') return undefined;
    const held = this.slots[slot]!;
    const rows = logitsFor === 'all' ? tokenIds.length : 1;
    return logitsAfter(Array.from({ length: rows }, (_, row) => held.slice(0, held.length - rows + row + 1)));
  }

  override async prefillTogether(prompts: readonly Prompt[]): Promise<Logits> {
    await this.options.onRun?.();
    const { mostPrompts, mostRows } = this.limits.promptRun!;
    const rowsEach = rowsOfEachPrompt(prompts.map(({ tokenIds }) => tokenIds.length));
    if (prompts.length > mostPrompts || prompts.length * rowsEach > mostRows)
      throw new Error('too long a run of prompts');
    for (const [index, { slot, tokenIds }] of prompts.entries()) {
      if (slot !== prompts[0]!.slot + index) throw new Error('the slots of a run of prompts are no neighbours');
      this.prefilledTokens += tokenIds.length;
      this.write(slot, 0, [...Array.from(tokenIds), ...new Array<number>(rowsEach - tokenIds.length).fill(0)], 0);
      this.slots[slot]!.length = tokenIds.length;
    }
    this.promptRuns.push(prompts.length);
    return logitsAfter(prompts.map(({ slot }) => this.slots[slot]!));
  }

  override async decode(rows: readonly DecodeRow[]): Promise<Logits> {
    await this.options.onRun?.();
    if (rows.length === 0 || rows.length > this.limits.decodeRows) throw new Error(`${rows.length} decode rows`);
    if (new Set(rows.map(({ slot }) => slot)).size < rows.length) throw new Error('two rows of one slot');
    for (const { slot, position, tokenId } of rows) this.write(slot, position, [tokenId], 1);
    this.decodes++;
    this.decodeRuns += rows.filter(({ slot }, row) => row === 0 || slot !== rows[row - 1]!.slot + 1).length;
    return logitsAfter(rows.map(({ slot }) => this.slots[slot]!));
  }

  override async close(): Promise<void> {
    this.isClosed = true;
  }

  /** @param aloneTokens  leading ones that are computed alone */
  private write(slot: number, position: number, tokenIds: number[], aloneTokens: number): void {
    const held = this.slots[slot];
    if (held === undefined) throw new Error(`slot ${slot} does not exist`);
    if (position > held.length) throw new Error(`position ${position} of a slot that holds ${held.length} tokens`);
    if (position + tokenIds.length > this.limits.contextTokens) throw new Error('beyond the context');
    const written = tokenIds.map((tokenId, index) => this.marked(tokenId, index < aloneTokens));
    this.slots[slot] = [...held.slice(0, position), ...written];
    this.checkMemory();
  }

  private marked(tokenId: number, isAlone: boolean): number {
    const { isExact, hasExactPrompts } = this.limits;
    return (isExact || hasExactPrompts) && isAlone ? tokenId + ALONE : tokenId;
  }

  private checkMemory(): void {
    const { kvPageTokens = 1, kvBytesPerToken, kvTotalBytes } = this.limits;
    for (const [slot, { length }] of this.slots.entries()) this.written[slot] = Math.max(this.written[slot]!, length);
    const pages = this.written.reduce((sum, tokens) => sum + Math.ceil(tokens / kvPageTokens), 0);
    const cachedTokens = this.places.size * (this.blocks?.placeTokens ?? 0);
    const bytes = (pages * kvPageTokens + cachedTokens + this.endsTokens) * kvBytesPerToken;
    if (bytes > kvTotalBytes) throw new Error(`${bytes} of ${kvTotalBytes} bytes of KV are used`);
  }

  private blockMemory(places: number, blockTokens: number, placeTokens: number): BlockMemory {
    return {
      blockTokens,
      places,
      placeTokens,
      save: (slot, firstBlock, to) => {
        for (const [index, place] of to.entries()) {
          const from = (firstBlock + index) * blockTokens;
          const block = this.slots[slot]!.slice(from, from + blockTokens);
          if (block.length < blockTokens || place >= places) throw new Error(`${block} cannot be kept in ${place}`);
          this.places.set(place, block);
        }
        this.checkMemory();
      },
      load: (from, slot) => {
        if (this.slots[slot]!.length > 0 && !this.trimSlot) throw new Error(`slot ${slot} is not empty`);
        this.slots[slot] = [];
        for (const place of from) {
          const block = this.places.get(place);
          if (block === undefined) throw new Error(`nothing stands in place ${place}`);
          this.slots[slot]!.push(...block);
        }
        this.checkMemory();
      },
      exchange: {
        ...{ blockBytes: blockTokens, dtype: 'synthetic', axes: 'token' },
        read: (place) => {
          const block = this.places.get(place);
          if (block === undefined) throw new Error(`nothing stands in place ${place}`);
          return Uint8Array.from(block);
        },
        write: (place, data) => {
          if (data.length !== blockTokens) throw new Error(`a block of ${data.length} bytes`);
          this.places.set(place, [...data]);
          this.checkMemory();
        },
      },
      release: (gone) => {
        for (const place of gone) if (!this.places.delete(place)) throw new Error(`place ${place} is empty already`);
      },
    };
  }

  /** What ends of prompts take. */
  get endsTokens(): number {
    return [...this.ends.values()].reduce((sum, { tail }) => sum + tail.length + 1, 0);
  }

  private endMemory(places: number): PromptEndMemory {
    return {
      places,
      takenTokens: (positions) => positions + 1,
      save: (place, { slot, from, to }, logits) => {
        const held = this.slots[slot]!;
        if (held.length !== to || place >= places || this.ends.has(place))
          throw new Error(`an end of ${to} tokens of ${held.length} cannot be kept in ${place}`);
        this.ends.set(place, { tail: held.slice(from, to), logits: logits.slice() });
        this.checkMemory();
      },
      load: (place, { slot, from, to }) => {
        const { tail, logits } = this.ends.get(place)!;
        const held = this.slots[slot]!;
        if (held.length < from || tail.length !== to - from)
          throw new Error(`an end of ${tail.length} tokens at ${from}`);
        this.slots[slot] = [...held.slice(0, from), ...tail];
        this.recalls++;
        this.checkMemory();
        return logits.slice();
      },
      release: (place) => {
        if (!this.ends.delete(place)) throw new Error(`place ${place} of an end is empty already`);
      },
    };
  }

  private copy({ from, to, tokens }: SlotCopy): void {
    const held = this.slots[from]!;
    if (from === to || tokens < 1 || tokens > held.length) throw new Error(`${tokens} tokens of ${held.length} copied`);
    this.slots[to] = held.slice(0, tokens);
    this.checkMemory();
  }

  private move({ from, to, tokens }: SlotCopy): void {
    this.moves++;
    const held = this.slots[from]!;
    if (this.slots[to]!.length > 0)
      throw new Error(`slot ${to} is moved to and holds ${this.slots[to]!.length} tokens`);
    if (tokens !== held.length) throw new Error(`${tokens} tokens of ${held.length} moved`);
    this.closeSlot(from);
    this.slots[to] = held;
    this.checkMemory();
  }

  private trim(slot: number, tokens: number): void {
    if (tokens % (this.limits.kvPageTokens ?? 1) !== 0) throw new Error(`${tokens} tokens are not whole pages`);
    this.slots[slot]!.splice(tokens);
    this.written[slot] = Math.min(this.written[slot]!, tokens);
  }
}

/** One row of logits for each sequence of tokens, a function of all of them. */
export function logitsAfter(sequences: readonly (readonly number[])[]): Logits {
  const data = new Float32Array(sequences.length * SYNTHETIC_VOCABULARY);
  for (const [row, tokenIds] of sequences.entries()) {
    let state = 17;
    for (const tokenId of tokenIds) state = Math.imul(state ^ tokenId, 0x9e3779b1) ^ (state >>> 15);
    for (let id = 0; id < SYNTHETIC_VOCABULARY; id++) {
      state = (Math.imul(state, 0x41c64e6d) + 0x3039) | 0;
      data[row * SYNTHETIC_VOCABULARY + id] = ((state >>> 8) % 1_000) / 125;
    }
  }
  return { rows: sequences.length, data };
}
