import {
  type AdapterRoom,
  type DecodeRow,
  type Logits,
  ModelRunner,
  type ModelRunnerLimits,
  type PrefillChunk,
  type Prompt,
  rowsOfEachPrompt,
  type SlotCopy,
} from '#lib/engine';
import { AdapterMemory } from './adapters/adapter-memory.js';
import { AdapterSlots } from './adapters/adapter-slots.js';
import { type AllocatedKv, allocateKv } from './allocate-kv.js';
import { inCallersOrder, orderOfRows } from './decode-order.js';
import { type LoadedSessions, ModelSessions } from './model-sessions.js';
import { PassChecks } from './pass-checks.js';
import { type OnnxModelRunnerOptions, planLimits, slotTokens } from './runner-limits.js';
import type { DecoderGraph } from './runtime/decoder-graph.js';
import type { KvBlockPlaces } from './runtime/kv-block-places.js';
import type { KvMemory } from './runtime/kv-memory.js';
import type { KvPromptEnds } from './runtime/kv-prompt-ends.js';
import { OrtRuntime } from './runtime/ort-runtime.js';
import type { SlotBindings } from './slot-bindings.js';

/** Chosen: a chunk beside 32 rows is short, of 80 tokens where a chunk has 256. */
const SHORT_CHUNKS_PER_CHUNK = 3;

/**
 * Runs a compiled decoder on ONNX Runtime. KV stays where it is: each slot has its place in one range of addresses, and
 * passes read and write it there. Rows of a decode on neighbouring slots are one run of the model.
 */
export class OnnxModelRunner extends ModelRunner {
  readonly limits: ModelRunnerLimits;
  override readonly blocks: KvBlockPlaces | undefined;
  override readonly promptEnds: KvPromptEnds | undefined;
  private readonly kv: KvMemory;
  private readonly checks: PassChecks;
  /** Replaced between two passes, when the first adapter comes and the last one goes. */
  private sessions: ModelSessions;
  override readonly adapters?: AdapterRoom;
  /** Slot of the adapter of each row of a pass, or -1. */
  private readonly adapterRows: Int32Array;
  private pass: Promise<unknown> = Promise.resolve();
  private readonly tokenIds: BigInt64Array;
  private readonly logitRows: BigInt64Array;
  private readonly lastPositions: Int32Array;
  /** Where a prompt ends at the latest with another row: the graph's positions, and the slot's. */
  private readonly mostPaddedTokens: number;
  /**
   * Rows of logits that a run for prompts makes at least: with exact prompts two, since one alone is multiplied by other kernels than
   * those of several prompts together (1.7 ms more for 16 tokens of SmolLM2, 35.4 against 33.7; November 29, 2026).
   */
  private readonly leastPromptLogits: number;
  private readonly totalLength = new Int32Array(1);
  private readonly logits: Float32Array;
  /** Shape [allLogitsTokens, vocabularySize]; made when first asked for. */
  private chunkLogits: Float32Array | undefined;
  /** KV in a GPU's memory cannot be copied from here. */
  override readonly copySlot?: (copy: SlotCopy) => void;
  override readonly moveSlot?: (move: SlotCopy) => void;
  private isRunning = false;
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly runtime: OrtRuntime,
    sessions: LoadedSessions,
    { kv, blocks, promptEnds }: AllocatedKv,
    private readonly graph: DecoderGraph,
    limits: ModelRunnerLimits,
    private readonly options: OnnxModelRunnerOptions,
  ) {
    super();
    this.kv = kv;
    this.blocks = blocks;
    this.promptEnds = promptEnds;
    this.limits = limits;
    this.checks = new PassChecks(limits);
    this.sessions = new ModelSessions(sessions, graph, kv);
    this.adapters = this.createAdapters();
    this.mostPaddedTokens = Math.min(graph.contextTokens, slotTokens(limits));
    this.tokenIds = new BigInt64Array(
      Math.max(limits.chunkTokens + 1, limits.decodeRows, limits.promptRun?.mostRows ?? 0),
    );
    this.adapterRows = new Int32Array(this.tokenIds.length);
    this.logitRows = new BigInt64Array(Math.max(limits.chunkTokens, limits.decodeRows, 2));
    this.lastPositions = new Int32Array(limits.decodeRows);
    this.leastPromptLogits = limits.hasExactPrompts ? 2 : 1;
    this.logits = new Float32Array(Math.max(limits.decodeRows, this.leastPromptLogits) * limits.vocabularySize);
    if (!kv.isCopyable) return;
    this.copySlot = (copy) => this.copy(copy);
    this.moveSlot = (move) => {
      this.copy(move);
      kv.release(move.from);
    };
  }

  /**
   * @throws KvMemoryTooSmallError when not one sequence fits; KvMemoryUnavailableError when there is not that much memory
   * @throws DecoderGraphError, OrtError or OrtLibraryError when the model or the library cannot be used
   */
  static async load(graph: DecoderGraph, options: OnnxModelRunnerOptions): Promise<OnnxModelRunner> {
    const limits = planLimits(graph, options);
    const runtime = OrtRuntime.open();
    let sessions: LoadedSessions | undefined;
    try {
      sessions = await ModelSessions.load(
        runtime,
        graph,
        { decode: graph.path, prefill: options.prefillGraphPath },
        options,
      );
      const kv = allocateKv(runtime, sessions.decode, graph, limits, options.executionProvider);
      return new OnnxModelRunner(runtime, sessions, kv, graph, limits, options);
    } catch (error) {
      await sessions?.prefill?.close();
      await sessions?.decode.close();
      runtime.close();
      throw error;
    }
  }

  async prefill(chunk: PrefillChunk): Promise<Logits | undefined> {
    this.checks.chunk(chunk);
    return this.exclusively(async () => {
      const { slot, position, tokenIds } = chunk;
      const length = tokenIds.length;
      for (let index = 0; index < length; index++) this.tokenIds[index] = BigInt(tokenIds[index]!);
      const rows = this.rowsFor(chunk);
      if (rows > length) this.tokenIds[length] = this.tokenIds[length - 1]!;
      const wanted = chunk.logitsFor === 'all' ? length : 1;
      const logitRows = Math.max(wanted, this.leastPromptLogits);
      for (let row = 0; row < logitRows; row++)
        this.logitRows[row] = BigInt(Math.min(length - wanted + row, length - 1));
      this.lastPositions[0] = position + rows - 1;
      this.adapterRows.fill(chunk.adapterSlot ?? -1, 0, rows);
      const logits = this.rowsOf(chunk.logitsFor === 'all' ? this.logitsOfChunk() : this.logits, logitRows);
      await this.run(this.sessions.prefilling, { firstSlot: slot, sequences: 1, tokensPerSequence: rows, logits });
      return chunk.logitsFor === 'none' ? undefined : this.rowsOf(logits.data, wanted);
    });
  }

  /** As many rows for each as the longest has; what those behind a shorter prompt write is never read, as in `rowsFor`. */
  override async prefillTogether(prompts: readonly Prompt[]): Promise<Logits> {
    const rowsEach = rowsOfEachPrompt(prompts.map(({ tokenIds }) => tokenIds.length));
    this.checks.prompts(prompts, rowsEach);
    return this.exclusively(async () => {
      for (const [index, { tokenIds, adapterSlot = -1 }] of prompts.entries()) {
        const { length } = tokenIds;
        const first = index * rowsEach;
        this.adapterRows.fill(adapterSlot, first, first + rowsEach);
        for (let row = 0; row < rowsEach; row++)
          this.tokenIds[first + row] = BigInt(tokenIds[Math.min(row, length - 1)]!);
        this.logitRows[index] = BigInt(first + length - 1);
        this.lastPositions[index] = rowsEach - 1;
      }
      const logits = this.rowsOf(this.logits, prompts.length);
      const { slot: firstSlot } = prompts[0]!;
      await this.run(this.sessions.prefilling, {
        firstSlot,
        sequences: prompts.length,
        tokensPerSequence: rowsEach,
        logits,
      });
      return logits;
    });
  }

  async decode(rows: readonly DecodeRow[]): Promise<Logits> {
    this.checks.rows(rows);
    return this.exclusively(async () => {
      const { order, runs } = orderOfRows(rows);
      for (const { rows: neighbours, first } of runs) await this.decodeNeighbours(neighbours, first);
      return this.rowsOf(inCallersOrder(this.logits, order, this.limits.vocabularySize), order.length);
    });
  }

  override closeSlot(slot: number): void {
    if (this.closing === undefined) this.kv.release(slot);
  }

  override trimSlot(slot: number, tokens: number): void {
    if (this.closing === undefined) this.kv.trim(slot, tokens);
  }

  /** Idempotent. A pass that runs is ended early and rejects. */
  override close(): Promise<void> {
    this.closing ??= this.sessions.close(() => this.kv.close()).then(() => this.runtime.close());
    return this.closing;
  }

  private createAdapters(): AdapterRoom | undefined {
    const { adapters: room, executionProvider, prefillGraphPath } = this.options;
    if (room === undefined || executionProvider?.kind === 'cuda') return undefined;
    const { sites } = room.graphs.decode;
    const memory = new AdapterMemory(sites, room.slots);
    const { runtime, graph, kv, options } = this;
    return new AdapterSlots({
      ...{ memory, sites, mostRank: room.mostRank },
      beginAdapting: async () => {
        const sessions = await ModelSessions.loadAdapted(runtime, graph, room.graphs, options);
        await this.computeOn(new ModelSessions(sessions, graph, kv, { memory, graphs: room.graphs }));
      },
      endAdapting: async () => {
        const files = { decode: graph.path, prefill: prefillGraphPath };
        await this.computeOn(new ModelSessions(await ModelSessions.load(runtime, graph, files, options), graph, kv));
      },
    });
  }

  /** Other sessions take the place of those that there are, between two passes. */
  private async computeOn(next: ModelSessions): Promise<void> {
    while (this.isRunning) await this.pass.catch(() => undefined); // whoever waits for it is told
    const unused = this.closing === undefined ? this.sessions : next;
    if (this.closing === undefined) this.sessions = next;
    await unused.close();
    if (this.closing !== undefined) throw new Error('The model runner is closed.');
  }

  private async decodeNeighbours(rows: readonly DecodeRow[], firstLogits: number): Promise<void> {
    rows.forEach((row, index) => {
      this.tokenIds[index] = BigInt(row.tokenId);
      this.logitRows[index] = BigInt(index);
      this.lastPositions[index] = row.position;
      this.adapterRows[index] = row.adapterSlot ?? -1;
    });
    const { vocabularySize } = this.limits;
    const data = this.logits.subarray(firstLogits * vocabularySize, (firstLogits + rows.length) * vocabularySize);
    await this.run(this.sessions.decoding, {
      firstSlot: rows[0]!.slot,
      sequences: rows.length,
      tokensPerSequence: 1,
      logits: { rows: rows.length, data },
    });
  }

  /** One run of the model over neighbouring slots; the rows in `logitRows` come to `logits`. */
  private async run(
    bindings: SlotBindings,
    pass: { firstSlot: number; sequences: number; tokensPerSequence: number; logits: Logits },
  ): Promise<void> {
    const { firstSlot, sequences, tokensPerSequence: tokens, logits } = pass;
    const lastPositions = this.lastPositions.subarray(0, sequences);
    this.totalLength[0] = Math.max(...lastPositions) + 1;
    const binding = bindings.forSlots(firstSlot, sequences, this.adapterRows.subarray(0, sequences * tokens));
    binding.bindInput('input_ids', this.tokenIds.subarray(0, sequences * tokens), 'int64', [sequences, tokens]);
    binding.bindInput('last_index', this.logitRows.subarray(0, logits.rows), 'int64', [logits.rows]);
    binding.bindInput('seqlens_k', lastPositions, 'int32', [sequences]);
    binding.bindInput('total_len', this.totalLength, 'int32', []);
    binding.bindOutput('logits', logits.data, 'float32', [logits.rows, this.limits.vocabularySize]);
    // A long chunk leaves the thread to messages meanwhile, and `close` can end it.
    const isShort = tokens === 1 || sequences * tokens <= this.limits.chunkTokens / SHORT_CHUNKS_PER_CHUNK;
    if (isShort) bindings.session.runHere(binding);
    else await bindings.session.run(binding);
  }

  /**
   * With exact prompts another row behind an odd number of tokens: attention takes rows in blocks, and multiplies one that is left over
   * alone by other kernels than several. What the row writes behind the chunk is never read: the position that comes there overwrites it.
   * Its memory is the slot's already, since pages have an even number of positions.
   */
  private rowsFor({ position, tokenIds }: PrefillChunk): number {
    const { length } = tokenIds;
    const isPadded = this.limits.hasExactPrompts && length % 2 === 1 && position + length < this.mostPaddedTokens;
    return isPadded ? length + 1 : length;
  }

  private logitsOfChunk(): Float32Array {
    const { allLogitsTokens = 1, vocabularySize } = this.limits;
    this.chunkLogits ??= new Float32Array(allLogitsTokens * vocabularySize);
    return this.chunkLogits;
  }

  private copy({ from, to, tokens }: SlotCopy): void {
    if (this.closing !== undefined) throw new Error('The model runner is closed.');
    if (this.isRunning) throw new Error('A slot is copied between two passes only.');
    if (from === to) throw new RangeError(`Slot ${from} is not copied to itself.`);
    this.checks.place(from, 0, tokens);
    this.checks.place(to, 0, tokens);
    this.kv.copy(from, to, tokens);
  }

  private rowsOf(data: Float32Array, rows: number): Logits {
    return { rows, data: data.subarray(0, rows * this.limits.vocabularySize) };
  }

  private async exclusively<T>(pass: () => Promise<T>): Promise<T> {
    if (this.closing !== undefined) throw new Error('The model runner is closed.');
    if (this.isRunning) throw new Error('The model runner takes one pass at a time.');
    this.isRunning = true;
    const running = pass().finally(() => {
      this.isRunning = false;
    });
    this.pass = running;
    return running;
  }
}
