import { Inject, Injectable } from '@nestjs/common';
import { Breaker } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { type KvBlocksClient, type KvSource, KvSourceKind } from '#lib/contracts';
import { shardOf } from '#lib/kv';
import { HYDRA_CONFIG } from '../worker-config.js';
import { KvClients } from './kv-clients.js';

/** One cache of KV blocks, which is left alone for a while after it failed a few times in a row. */
export class KvCacheShard {
  private readonly breaker = new Breaker();
  readonly source: KvSource;

  constructor(
    target: string,
    private readonly clients: KvClients,
  ) {
    this.source = { target, kind: KvSourceKind.KVCACHE, blockHashes: [] };
  }

  get client(): KvBlocksClient {
    return this.clients.of(this.source);
  }

  /** Whether it may be asked now; whoever is told so tells how it ended. */
  mayCall(): boolean {
    return this.breaker.mayCall(performance.now());
  }

  ended(how: 'succeeded' | 'failed' | 'abandoned'): void {
    if (how === 'failed') this.breaker.failed(performance.now());
    else this.breaker[how]();
  }
}

/** The caches of KV blocks that all workers share: which of them has a segment of a chain. */
@Injectable()
export class KvCaches {
  private readonly shards: ReadonlyMap<string, KvCacheShard>;

  constructor(@Inject(HYDRA_CONFIG) { kvcache }: HydraConfig, clients: KvClients) {
    this.shards = new Map(kvcache.targets.map((target) => [target, new KvCacheShard(target, clients)]));
  }

  get areThere(): boolean {
    return this.shards.size > 0;
  }

  /** @param head  hash of the segment's first block */
  shardOf(head: Uint8Array): KvCacheShard {
    return this.shards.get(shardOf([...this.shards.keys()], head))!; // one of them
  }
}
