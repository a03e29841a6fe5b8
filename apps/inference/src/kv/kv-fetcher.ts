import { Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import { type GenerationRequest, type KvSource, KvSourceKind } from '#lib/contracts';
import type { EngineTimeline, WantedBlocks } from '#lib/engine';
import { SEGMENT_BLOCKS } from '#lib/kv';
import { type FetchOrigin, fetchKvBlocks, KvBlockFaultError, type WantedKvChain } from '#lib/kv-transfer';
import type { RecordedSpan } from '#lib/observability';
import { EngineHost } from '../engine/engine-host.js';
import { KvTransferMetrics } from '../observation/kv-transfer-metrics.js';
import { HYDRA_CONFIG } from '../worker-config.js';
import { blocksPerPiece } from './block-pieces.js';
import { FetchWorth } from './fetch-worth.js';
import { KvCaches } from './kv-caches.js';
import { KvClients } from './kv-clients.js';
import { kvLayoutOf } from './kv-layout-of.js';

/** Generations whose blocks are fetched at once. Chosen: together they have at most 160 MiB on their way; further ones compute. */
const MOST_FETCHES = 8;

/**
 * How asking one source ended:
 * - `fetched`: all that it was to have has come
 * - `missing`: it had fewer blocks, or none
 * - `late`: the time was over
 * - `damaged`: it sent a block that is not the one that was asked for
 * - `no-room`: the own store takes no more
 * - `failed`: it refused or is gone
 * - `cancelled`: the generation has ended
 */
export type KvFetchOutcome = 'fetched' | 'missing' | 'late' | 'damaged' | 'no-room' | 'failed' | 'cancelled';

class LateError extends Error {}
class GoneError extends Error {}

/** A generation that waits for blocks, and where its span goes. */
export interface WaitingGeneration {
  readonly request: GenerationRequest;
  readonly parent: RecordedSpan;
}

/**
 * Brings blocks of a prompt from where its lease says that they are, and what is missing then from the caches, before the generation begins.
 * Whatever goes wrong costs the time it took, which is bounded: the generation computes what has not come.
 */
@Injectable()
export class KvFetcher {
  private readonly worth = new FetchWorth();
  private readonly running = new Map<string, AbortController>();

  constructor(
    @Inject(HYDRA_CONFIG) private readonly config: HydraConfig,
    private readonly host: EngineHost,
    private readonly clients: KvClients,
    private readonly caches: KvCaches,
    private readonly metrics: KvTransferMetrics,
  ) {}

  /** The request as the engine gets it: it says which blocks it lacks only of one that names sources, and the caches are one. */
  withCaches(request: GenerationRequest): GenerationRequest {
    if (!this.caches.areThere || !this.config.workers.kvTransfer || request.adapterId !== '') return request;
    const caches: KvSource = { target: '', kind: KvSourceKind.KVCACHE, blockHashes: [] };
    return { ...request, kvSources: [...request.kvSources, caches] };
  }

  /** A generation has ended: how long its prompt took shows what fetching saves. */
  noteComputed(timeline: EngineTimeline): void {
    this.worth.noteComputed(timeline);
  }

  /** The generation begins when this is over. */
  begin(waiting: WaitingGeneration, wanted: WantedBlocks): void {
    const { generationId } = waiting.request;
    if (!this.config.workers.kvTransfer || this.running.size >= MOST_FETCHES) {
      this.host.engine.endBlocks(generationId);
      return;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(new LateError()), this.config.workers.kvFetchTimeoutMs);
    this.running.set(generationId, abort);
    void this.fetchFromAll(waiting, wanted, abort.signal).finally(() => {
      clearTimeout(timer);
      this.running.delete(generationId);
      this.host.engine.endBlocks(generationId);
    });
  }

  /** The generation has ended. */
  cancel(generationId: string): void {
    this.running.get(generationId)?.abort(new GoneError());
  }

  private async fetchFromAll({ request, parent }: WaitingGeneration, wanted: WantedBlocks, signal: AbortSignal) {
    const description = this.host.engine.describe();
    const layout = kvLayoutOf(description);
    const blockBytes = description.blocks?.blockBytes;
    if (layout === undefined || blockBytes === undefined) return;
    const blockHashes = wanted.hashes.map((hash) => Buffer.from(hash, 'hex'));
    let firstBlock = wanted.heldBlocks;
    const chain = { layout, blockBytes, blockHashes, tokenIds: request.promptTokenIds };
    for (const source of request.kvSources) {
      const end = blocksUpTo(source, blockHashes);
      if (end <= firstBlock || signal.aborted) continue;
      const asked = { ...chain, blockHashes: blockHashes.slice(0, end), firstBlock };
      firstBlock = (await this.fetchFrom(source, request, asked, parent, signal)).held;
    }
    if (this.caches.areThere) await this.fetchFromCaches(request, { ...chain, firstBlock }, parent, signal);
  }

  /** Segment by segment, each from the cache that has it, up to the first block that is missing. */
  private async fetchFromCaches(
    request: GenerationRequest,
    chain: WantedKvChain,
    parent: RecordedSpan,
    signal: AbortSignal,
  ) {
    const { blockHashes, blockBytes, layout } = chain;
    const missing = blockHashes.length - chain.firstBlock;
    const isWorth = () => this.worth.isWorth(missing * layout.blockTokens, missing * blockBytes);
    if (missing === 0 || (this.config.kvcache.fetch === 'worth' && !isWorth())) return;
    for (let firstBlock = chain.firstBlock; firstBlock < blockHashes.length && !signal.aborted; ) {
      const segment = Math.floor(firstBlock / SEGMENT_BLOCKS);
      const end = Math.min(blockHashes.length, (segment + 1) * SEGMENT_BLOCKS);
      const shard = this.caches.shardOf(blockHashes[segment * SEGMENT_BLOCKS]!); // one of the chain
      if (!shard.mayCall()) return;
      const asked = { ...chain, blockHashes: blockHashes.slice(0, end), firstBlock };
      const { held, outcome } = await this.fetchFrom(shard.source, request, asked, parent, signal);
      shard.ended(endOf(outcome));
      if (held < end) return;
      firstBlock = held;
    }
  }

  /** @returns leading blocks of the prompt that are held now, and how it ended */
  private async fetchFrom(
    source: KvSource,
    request: GenerationRequest,
    chain: WantedKvChain,
    parent: RecordedSpan,
    signal: AbortSignal,
  ): Promise<{ readonly held: number; readonly outcome: KvFetchOutcome }> {
    const startedMs = performance.now();
    const span = parent.child('kv fetch', 'client', startedMs);
    const state = { held: chain.firstBlock };
    let outcome: KvFetchOutcome;
    try {
      outcome = await this.copy(source, originOf(request, span), chain, state, signal);
    } catch (error) {
      outcome = outcomeOf(error);
    }
    const blocks = state.held - chain.firstBlock;
    const bytes = blocks * chain.blockBytes;
    const seconds = (performance.now() - startedMs) / 1_000;
    const from = source.kind === KvSourceKind.KVCACHE ? 'kvcache' : 'worker';
    if (from === 'kvcache' && bytes > 0) this.worth.noteFetch(bytes, seconds * 1_000);
    this.metrics.fetched({ from, outcome, blocks, bytes, seconds, exemplar: parent.exemplar });
    span.set({
      'server.address': source.target,
      'hydra.kv.outcome': outcome,
      'hydra.kv.blocks': blocks,
      'hydra.kv.bytes': bytes,
    });
    span.end();
    return { held: state.held, outcome };
  }

  /** Piece by piece into the engine's store: the next piece is taken from the source when the one before is stored. */
  private async copy(
    source: KvSource,
    origin: FetchOrigin,
    chain: WantedKvChain,
    state: { held: number },
    signal: AbortSignal,
  ): Promise<KvFetchOutcome> {
    const most = blocksPerPiece(chain.blockBytes);
    let piece: Uint8Array<ArrayBuffer>[] = [];
    const store = async () => {
      const end = state.held + piece.length;
      const held = await this.host.engine.giveBlocks(origin.generationId, state.held, piece);
      piece = [];
      if (held >= end) state.held = end;
      else state.held = Math.max(state.held, held);
      return held >= end;
    };
    try {
      for await (const { data } of fetchKvBlocks(this.clients.of(source), chain, signal, origin)) {
        piece.push(owned(data));
        if (piece.length === most && !(await store())) return 'no-room';
      }
    } catch (error) {
      if (piece.length > 0 && !(error instanceof GoneError)) await store(); // they are sound
      throw error;
    }
    if (piece.length > 0 && !(await store())) return 'no-room';
    return state.held === chain.blockHashes.length ? 'fetched' : 'missing';
  }
}

/** How many leading blocks a source should have: up to the last one that it is said to have. It may have more than are wanted: a prompt's last token is computed. */
function blocksUpTo({ blockHashes }: KvSource, chain: readonly Uint8Array[]): number {
  const had = new Set(blockHashes.map(nameOf));
  return chain.findLastIndex((hash) => had.has(nameOf(hash))) + 1;
}

function nameOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString('latin1');
}

function originOf({ requestId, tenantId, generationId }: GenerationRequest, span: RecordedSpan): FetchOrigin {
  return { trace: span.traceContext, requestId, tenantId, generationId };
}

/** What an outcome says of the cache that was asked. */
function endOf(outcome: KvFetchOutcome): 'succeeded' | 'failed' | 'abandoned' {
  if (outcome === 'cancelled') return 'abandoned';
  return outcome === 'failed' || outcome === 'late' ? 'failed' : 'succeeded';
}

/** In memory of its own, which goes to the engine's thread. */
function owned(data: Buffer): Uint8Array<ArrayBuffer> {
  const isWhole = data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength;
  return isWhole ? new Uint8Array(data.buffer as ArrayBuffer) : Uint8Array.from(data);
}

function outcomeOf(error: unknown): KvFetchOutcome {
  if (error instanceof LateError) return 'late';
  if (error instanceof GoneError) return 'cancelled';
  return error instanceof KvBlockFaultError ? 'damaged' : 'failed';
}
