import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import { createEviction } from '#lib/kv';
import { KvBlockStore, MemoryTier, RedisTier, WriteBehind } from '#lib/kv-store';
import { openRedis } from '#lib/redis';
import { MemoryKvEvents } from './announcement/memory-kv-events.js';
import { HYDRA_CONFIG } from './kvcache-config.js';
import { KvcacheMetrics } from './kvcache-metrics.js';

/** Commands to Redis under way at once. Chosen: a few readers' worth of read-ahead (16 blocks each). */
const MOST_COMMANDS = 256;
/** Time that blocks have to be written at the end, in milliseconds. Chosen: well within a pod's grace. */
const FLUSH_MS = 3_000;

/** The tiers as they are configured, and the store over them. */
@Injectable()
export class BlockTiers implements BeforeApplicationShutdown, OnApplicationShutdown {
  readonly store: KvBlockStore;
  readonly memory: MemoryTier;
  /** What memory holds, for schedulers. */
  readonly held = new MemoryKvEvents();
  isClosing = false;
  private readonly redis: { readonly tier: RedisTier; readonly writes: WriteBehind } | undefined;

  constructor(@Inject(HYDRA_CONFIG) { kvcache }: HydraConfig, metrics: KvcacheMetrics) {
    const { memoryBytes, eviction, maxBlockBytes } = kvcache;
    this.memory = new MemoryTier({
      bytes: memoryBytes,
      policy: createEviction(eviction, ({ key }) => key),
      onChange: (change) => this.held.note(change),
    });
    this.redis = redisTier(kvcache, metrics);
    this.store = new KvBlockStore({ memory: this.memory, behind: this.redis, maxBlockBytes, observer: metrics });
    metrics.watch(this.memory, this.redis);
  }

  beforeApplicationShutdown(): void {
    this.isClosing = true;
  }

  /** After the servers are closed: nothing comes any more. */
  async onApplicationShutdown(): Promise<void> {
    await this.redis?.writes.close(FLUSH_MS);
    await this.redis?.tier.close();
  }
}

function redisTier(kvcache: HydraConfig['kvcache'], metrics: KvcacheMetrics) {
  const { redisUrl, redisCluster, redisTtlMs, redisTimeoutMs, redisWaitingBytes } = kvcache;
  if (redisUrl === undefined) return undefined;
  const client = openRedis(redisUrl, redisCluster, { commandTimeoutMs: redisTimeoutMs });
  const tier = new RedisTier(client, { ttlMs: redisTtlMs, timeoutMs: redisTimeoutMs, mostCommands: MOST_COMMANDS });
  const onDropped = (blocks: number) => metrics.notWritten(blocks);
  return { tier, writes: new WriteBehind(tier, { mostBytes: redisWaitingBytes, onDropped }) };
}
