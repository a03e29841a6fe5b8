import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { callUnary } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import type { KvBlock, KvLayout } from '#lib/contracts';
import type { PrefixChange } from '#lib/engine';
import { SEGMENT_BLOCKS } from '#lib/kv';
import { putKvBlocks } from '#lib/kv-transfer';
import { EngineHost } from '../engine/engine-host.js';
import { KvTransferMetrics } from '../observation/kv-transfer-metrics.js';
import { HYDRA_CONFIG } from '../worker-config.js';
import { EngineKvBlocks } from './engine-kv-blocks.js';
import { type KvCacheShard, KvCaches } from './kv-caches.js';
import { kvLayoutOf } from './kv-layout-of.js';

/** Names of blocks that may wait; further ones are dropped. Chosen: a long context of 128 Ki tokens. */
const MOST_WAITING_BLOCKS = 8_192;
/** Of one run of blocks. Chosen: 46 MB at 10 MB/s; whoever is slower has no use. */
const PUSH_TIMEOUT_MS = 5_000;

/** Where a held block stands: which segment of its chain, by the hash of that segment's first block, and at which number in it. */
interface Place {
  readonly head: string;
  readonly index: number;
}

/** Blocks of one segment, one behind the other. */
interface Run {
  readonly head: string;
  readonly hashes: string[];
}

/**
 * Gives the caches what the engine's prefix store has got, one run of blocks after the other, behind everybody's back. What they have already does not
 * travel. The engine copies a piece of it between two steps, as for a worker that fetches; nothing waits for it.
 */
@Injectable()
export class KvPusher implements OnApplicationShutdown {
  private readonly places = new Map<string, Place>();
  private readonly waiting: Run[] = [];
  private waitingBlocks = 0;
  private isRunning = false;
  private readonly closing = new AbortController();

  constructor(
    @Inject(HYDRA_CONFIG) { kvcache, workers }: HydraConfig,
    private readonly host: EngineHost,
    private readonly blocks: EngineKvBlocks,
    private readonly caches: KvCaches,
    private readonly metrics: KvTransferMetrics,
  ) {
    if (!caches.areThere || !kvcache.push || !workers.kvTransfer) return;
    host.onEvent((event) => {
      if (event.kind === 'prefix') this.note(event.change);
      if (event.kind === 'engine-lost') this.forgetAll();
    });
  }

  onApplicationShutdown(): void {
    this.forgetAll();
    this.closing.abort(new Error('the worker is being stopped'));
  }

  private note(change: PrefixChange): void {
    if (change.kind === 'removed') {
      for (const hash of change.hashes) this.places.delete(hash);
      return;
    }
    for (const run of this.runsOf(change)) this.offer(run);
  }

  private runsOf({ parentHash, hashes }: PrefixChange & { kind: 'stored' }): Run[] {
    const runs: Run[] = [];
    let before = parentHash === undefined ? undefined : this.places.get(parentHash);
    if (parentHash !== undefined && before === undefined) return []; // held since before we listened: whose segment it is, nobody knows
    for (const hash of hashes) {
      const isFirst = before === undefined || before.index === SEGMENT_BLOCKS - 1;
      const place: Place = isFirst ? { head: hash, index: 0 } : { head: before!.head, index: before!.index + 1 };
      this.places.set(hash, place);
      if (runs.at(-1)?.head === place.head) runs.at(-1)!.hashes.push(hash);
      else runs.push({ head: place.head, hashes: [hash] });
      before = place;
    }
    return runs;
  }

  private offer(run: Run): void {
    const { length } = run.hashes;
    if (this.closing.signal.aborted || this.waitingBlocks + length > MOST_WAITING_BLOCKS) {
      this.metrics.pushed('dropped', length);
      return;
    }
    this.waiting.push(run);
    this.waitingBlocks += length;
    if (!this.isRunning) void this.pushAll();
  }

  private forgetAll(): void {
    this.places.clear();
    this.metrics.pushed('dropped', this.waitingBlocks);
    this.waiting.length = 0;
    this.waitingBlocks = 0;
  }

  private async pushAll(): Promise<void> {
    this.isRunning = true;
    for (let run = this.waiting.shift(); run !== undefined; run = this.waiting.shift()) {
      this.waitingBlocks -= run.hashes.length;
      await this.push(run);
    }
    this.isRunning = false;
  }

  private async push({ head, hashes }: Run): Promise<void> {
    const layout = this.host.phase === 'running' ? kvLayoutOf(this.host.engine.describe()) : undefined;
    const shard = this.caches.shardOf(Buffer.from(head, 'hex'));
    if (layout === undefined || !shard.mayCall()) {
      this.metrics.pushed('failed', hashes.length);
      return;
    }
    let unsettled = hashes.length;
    const settle = (outcome: 'held' | 'stored' | 'refused' | 'gone' | 'failed', blocks: number) => {
      this.metrics.pushed(outcome, blocks);
      unsettled -= blocks;
    };
    const signal = AbortSignal.any([this.closing.signal, AbortSignal.timeout(PUSH_TIMEOUT_MS)]);
    try {
      const lacking = hashes.slice(await this.heldBy(shard, layout, hashes, signal));
      settle('held', hashes.length - lacking.length);
      const { storedBlocks, refusedBlocks } = await this.give(shard, layout, lacking, signal);
      settle('stored', storedBlocks);
      settle('refused', refusedBlocks);
      settle('gone', unsettled);
      shard.ended('succeeded');
    } catch {
      settle('failed', unsettled);
      shard.ended(this.closing.signal.aborted ? 'abandoned' : 'failed');
    }
  }

  private async heldBy(shard: KvCacheShard, layout: KvLayout, hashes: readonly string[], signal: AbortSignal) {
    const { client } = shard;
    const asked = { layout, blockHashes: hashes.map(toBytes) };
    const { leadingBlocks } = await callUnary(client.has.bind(client), asked, { timeoutMs: PUSH_TIMEOUT_MS, signal });
    return Math.min(leadingBlocks, hashes.length);
  }

  private async give(shard: KvCacheShard, layout: KvLayout, hashes: readonly string[], signal: AbortSignal) {
    if (hashes.length === 0) return { storedBlocks: 0, refusedBlocks: 0 };
    const blocks = this.blocks.read(layout, hashes.map(toBytes), signal);
    const { value: first, done } = await blocks.next();
    if (done === true) return { storedBlocks: 0, refusedBlocks: 0 }; // they went meanwhile
    return putKvBlocks(shard.client, startingWith(first, blocks), signal);
  }
}

async function* startingWith(first: KvBlock, others: AsyncIterable<KvBlock>): AsyncGenerator<KvBlock> {
  yield first;
  yield* others;
}

function toBytes(hash: string): Buffer {
  return Buffer.from(hash, 'hex');
}
