import { z } from 'zod';
import { bytes, count, milliseconds, port } from './quantities.js';

export const kvcacheSchema = z.strictObject({
  count: z.number().int().min(0).max(64).default(0).meta({
    description: 'Caches of KV blocks that `hydra up` starts: each is a shard of its own process.',
    env: 'HYDRA_KVCACHES',
  }),
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/)
    .default('kvcache')
    .meta({
      description: 'Name of this cache in its log lines and to schedulers; each of several has its own.',
      env: 'HYDRA_KVCACHE_NAME',
    }),
  host: z
    .string()
    .default('127.0.0.1')
    .meta({ description: 'Address that the cache listens on.', env: 'HYDRA_KVCACHE_HOST' }),
  grpcPort: port
    .default(9093)
    .meta({ description: 'Port of its gRPC services; 0 takes a free one.', env: 'HYDRA_KVCACHE_GRPC_PORT' }),
  httpPort: port
    .default(8083)
    .meta({ description: 'Port of health and metrics; 0 takes a free one.', env: 'HYDRA_KVCACHE_HTTP_PORT' }),
  target: z.string().min(1).optional().meta({
    description:
      'gRPC target under which workers reach this cache; it tells the schedulers. Default: `kvcache.host` and its port.',
    env: 'HYDRA_KVCACHE_TARGET',
  }),
  targets: z.array(z.string().min(1)).max(64).default([]).meta({
    description:
      'gRPC targets of all caches, one for each shard, the same for all workers in any order. Empty: workers use none.',
    env: 'HYDRA_KVCACHE_TARGETS',
  }),
  memoryBytes: bytes
    .min(1024 * 1024)
    .default(1024 * 1024 * 1024)
    .meta({ description: 'Most memory for blocks in one cache, in bytes.', env: 'HYDRA_KVCACHE_MEMORY_BYTES' }),
  maxBlockBytes: bytes
    .max(31 * 1024 * 1024)
    .default(16 * 1024 * 1024)
    .meta({
      description: 'Most bytes of keys and values of one block; a larger one is refused.',
      env: 'HYDRA_KVCACHE_MAX_BLOCK_BYTES',
    }),
  eviction: z.enum(['lru', 'lfuda']).default('lru').meta({
    description: 'Which blocks go first when room is needed: as `workers.prefixEviction`.',
    env: 'HYDRA_KVCACHE_EVICTION',
  }),
  transfers: count.max(1_024).default(16).meta({
    description: 'Calls that bring or fetch blocks at once; further ones are refused, and their workers compute.',
    env: 'HYDRA_KVCACHE_TRANSFERS',
  }),
  redisUrl: z
    .string()
    .regex(/^rediss?:\/\//, 'expected a URL that begins with `redis://` or `rediss://`')
    .optional()
    .meta({
      description:
        'Where blocks are kept behind memory, for all caches and over their restarts: `redis://…` or `rediss://…`; never logged. Absent: in memory alone.',
      env: 'HYDRA_KVCACHE_REDIS_URL',
      secret: true,
    }),
  redisCluster: z
    .boolean()
    .default(false)
    .meta({ description: 'Whether `redisUrl` is a node of a Redis Cluster.', env: 'HYDRA_KVCACHE_REDIS_CLUSTER' }),
  redisTtlMs: milliseconds.default(3_600_000).meta({
    description: 'A block that nobody used for so long is gone from Redis, in milliseconds.',
    env: 'HYDRA_KVCACHE_REDIS_TTL_MS',
  }),
  redisTimeoutMs: milliseconds.default(500).meta({
    description: 'Most time for one look into Redis; then the blocks count as missing, in milliseconds.',
    env: 'HYDRA_KVCACHE_REDIS_TIMEOUT_MS',
  }),
  redisWaitingBytes: bytes.default(64 * 1024 * 1024).meta({
    description: 'Most bytes of blocks that wait to be written to Redis; further ones are not written.',
    env: 'HYDRA_KVCACHE_REDIS_WAITING_BYTES',
  }),
  push: z.boolean().default(true).meta({
    description: 'Whether workers give the caches what they compute; else they only look there.',
    env: 'HYDRA_KVCACHE_PUSH',
  }),
  fetch: z.enum(['worth', 'always']).default('worth').meta({
    description:
      'When a worker asks the caches for blocks of a prompt that it lacks: where that took less time than computing, as far as it knows both (`worth`), or `always`.',
    env: 'HYDRA_KVCACHE_FETCH',
  }),
});
