import type { LinkTraffic } from '../forecast/link-traffic.js';

/** A cache of KV blocks, as decisions see it. */
export interface CacheView {
  readonly cacheId: string;
  readonly cacheEpoch: number;
  /** Under which workers reach its blocks. */
  readonly target: string;
  /** What leaves it, by the leases that said so. */
  readonly traffic: LinkTraffic;
}
