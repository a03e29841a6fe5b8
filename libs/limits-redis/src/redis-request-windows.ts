import type { RedisClient } from '#lib/redis';
import { runScript } from './redis-scripts.js';

/** Requests in a window that moves along, in Redis: the throttler's storage for many gateways. Times are seconds. */
export class RedisRequestWindows {
  constructor(private readonly client: RedisClient) {}

  /** @param key  `TENANT/…`: the tenant is the hash tag */
  async increment(key: string, ttl: number, limit: number) {
    const [tenantId, ...rest] = key.split('/');
    const keys = [`hydra:limits:{${tenantId}}:requests:${rest.join('/')}`];
    const reply = await runScript(this.client, 'hydraCountRequest', keys, [ttl, limit]);
    const [totalHits, resetMs, waitMs] = reply as [number, number, number];
    return {
      totalHits,
      timeToExpire: resetMs / 1_000,
      isBlocked: waitMs > 0,
      timeToBlockExpire: waitMs / 1_000,
    };
  }
}
