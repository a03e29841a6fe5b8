import { Cluster, Redis } from 'ioredis';

export type RedisClient = Redis | Cluster;

export interface RedisScript {
  readonly lua: string;
  readonly numberOfKeys: number;
}

export interface RedisOptions {
  /** A command that has no answer by then has failed, in milliseconds. */
  readonly commandTimeoutMs: number;
  /** Commands of the client beside Redis's own, by name. */
  readonly scripts?: Readonly<Record<string, RedisScript>>;
}

const CONNECT_TIMEOUT_MS = 1_000;
const LONGEST_RECONNECT_MS = 500;

/**
 * Connects in the background; commands fail at once while there is no connection.
 * @param url  `redis://…` or `rediss://…`; of any node of a cluster when `isCluster`
 */
export function openRedis(
  url: string,
  isCluster: boolean,
  { commandTimeoutMs, scripts = {} }: RedisOptions,
): RedisClient {
  const shared = { enableOfflineQueue: false, scripts };
  const node = { commandTimeout: commandTimeoutMs, maxRetriesPerRequest: 0, connectTimeout: CONNECT_TIMEOUT_MS };
  const retryStrategy = (attempt: number) => Math.min(50 * attempt, LONGEST_RECONNECT_MS);
  const client = isCluster
    ? new Cluster([url], { ...shared, redisOptions: node, clusterRetryStrategy: retryStrategy })
    : new Redis(url, { ...shared, ...node, retryStrategy });
  client.on('error', () => {}); // each command that fails says so
  return client;
}
