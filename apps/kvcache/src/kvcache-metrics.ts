import { status } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import { Histogram } from 'prom-client';
import type { MemoryTier, PutRefusal, RedisTier, StoreObserver, TierOperation, WriteBehind } from '#lib/kv-store';
import { LATENCY_BUCKETS_SECONDS, ownedCounter, ownedName, readCounter, readGauge } from '#lib/observability';

/** What a cache of KV blocks counts. */
@Injectable()
export class KvcacheMetrics implements StoreObserver {
  private readonly askedBlocks = ownedCounter('hydra_kvcache_asked_blocks_total', 'Blocks that workers asked for.');
  private readonly foundBlocks = ownedCounter(
    'hydra_kvcache_found_blocks_total',
    'Blocks of them that were found.',
    'tier',
  );
  private readonly storedBlocks = ownedCounter('hydra_kvcache_stored_blocks_total', 'Blocks that were taken.');
  private readonly refusedBlocks = ownedCounter(
    'hydra_kvcache_refused_blocks_total',
    'Blocks that were offered and not taken: damaged or misnamed (`layout`, `hash`, `tokens`, `checksum`), `too-large`, `no-room`, or behind one of these (`parent`).',
    'reason',
  );
  private readonly damagedBlocks = ownedCounter(
    'hydra_kvcache_damaged_blocks_total',
    'Blocks that a tier gave back otherwise than they were stored; they are removed.',
    'tier',
  );
  private readonly servedBytes = ownedCounter('hydra_kvcache_served_bytes_total', 'Bytes of blocks that were sent.');
  private readonly refusedCalls = ownedCounter(
    'hydra_kvcache_refused_calls_total',
    'Calls that were refused or broken off, by gRPC status.',
    'code',
  );
  private readonly unwrittenBlocks = ownedCounter(
    'hydra_kvcache_unwritten_blocks_total',
    'Blocks that were not written to Redis: too many waited, or it did not take them.',
  );
  private readonly tierSeconds = new Histogram({
    name: ownedName('hydra_kvcache_tier_seconds'),
    help: 'Time of one call to a tier, in seconds, by how it ended: `answered`, `busy`, `timeout`, `away`, `open`.',
    labelNames: ['tier', 'operation', 'outcome'],
    buckets: LATENCY_BUCKETS_SECONDS,
  });

  found(byTier: ReadonlyMap<string, number>, asked: number): void {
    this.askedBlocks.inc(asked);
    for (const [tier, blocks] of byTier) this.foundBlocks.inc({ tier }, blocks);
  }

  stored(): void {
    this.storedBlocks.inc();
  }

  refused(reason: PutRefusal): void {
    this.refusedBlocks.inc({ reason });
  }

  damaged(tier: string): void {
    this.damagedBlocks.inc({ tier });
  }

  called(tier: string, operation: TierOperation, ms: number, outcome: string): void {
    this.tierSeconds.observe({ tier, operation, outcome }, ms / 1_000);
  }

  served(bytes: number): void {
    this.servedBytes.inc(bytes);
  }

  callRefused(code: status): void {
    this.refusedCalls.inc({ code: (status[code] ?? 'UNKNOWN').toLowerCase() });
  }

  notWritten(blocks: number): void {
    this.unwrittenBlocks.inc(blocks);
  }

  watchSchedulers(followers: () => number): void {
    readGauge('hydra_kvcache_schedulers', 'Schedulers that follow what is held in memory.', followers);
  }

  /** What is held is asked for when it is scraped. */
  watch(memory: MemoryTier, redis: { readonly tier: RedisTier; readonly writes: WriteBehind } | undefined): void {
    for (const tier of redis === undefined ? [memory.name] : [memory.name, redis.tier.name]) {
      this.damagedBlocks.inc({ tier }, 0); // a first one shows as an increase
    }
    readGauge('hydra_kvcache_memory_blocks', 'Blocks in memory.', () => memory.heldBlocks);
    readGauge('hydra_kvcache_memory_used_bytes', 'Memory that they take, in whole pages.', () => memory.heldBytes);
    readGauge('hydra_kvcache_memory_capacity_bytes', 'Most memory that they may take.', () => memory.capacityBytes);
    readCounter(
      'hydra_kvcache_memory_evicted_blocks_total',
      'Blocks that went from memory for others.',
      () => memory.evictedBlocks,
    );
    if (redis === undefined) return;
    const { tier, writes } = redis;
    readGauge('hydra_kvcache_redis_up', '1 while Redis is asked, 0 while it is left alone.', () => (tier.isUp ? 1 : 0));
    readGauge('hydra_kvcache_redis_waiting_bytes', 'Bytes of blocks that wait for Redis.', () => writes.waitingBytes);
  }
}
