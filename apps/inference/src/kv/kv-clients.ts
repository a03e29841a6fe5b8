import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { ChannelSecurity, clientChannelOptions } from '#lib/channels';
import { KvBlocksClient, type KvSource, KvSourceKind } from '#lib/contracts';

/** Chosen: more than a fleet's busiest sources; an open connection costs a ping a second. */
const MOST_CLIENTS = 64;
const IDLE_MS = 60_000;

/** Connections to those who have blocks, for as long as they are used. */
@Injectable()
export class KvClients implements OnApplicationShutdown {
  private readonly clients: LRUCache<string, KvBlocksClient>;

  constructor(private readonly security: ChannelSecurity) {
    this.clients = new LRUCache({
      ...{ max: MOST_CLIENTS, ttl: IDLE_MS, ttlAutopurge: true, updateAgeOnGet: true },
      dispose: (client) => client.close(), // what runs on it still ends
    });
  }

  of({ target, kind }: KvSource): KvBlocksClient {
    const service = kind === KvSourceKind.KVCACHE ? 'kvcache' : 'worker';
    const name = `${service} ${target}`;
    const known = this.clients.get(name);
    if (known !== undefined) return known;
    const client = new KvBlocksClient(target, this.security.credentialsFor(service), clientChannelOptions());
    this.clients.set(name, client);
    return client;
  }

  onApplicationShutdown(): void {
    this.clients.clear();
  }
}
