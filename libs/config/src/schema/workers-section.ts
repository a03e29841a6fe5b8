import { z } from 'zod';
import { bytes, count, milliseconds, port } from './quantities.js';

export const workersSchema = z.strictObject({
  count: count.default(1).meta({
    description: 'Worker processes that `hydra up` starts for each model; they share the cores.',
    env: 'HYDRA_WORKERS',
  }),
  id: z
    .string()
    .default('worker-0')
    .meta({ description: 'Identity of this worker process, stable over restarts.', env: 'HYDRA_WORKER_ID' }),
  model: z.string().optional().meta({
    description: 'Id of the model this worker process serves. Default: the first model.',
    env: 'HYDRA_WORKER_MODEL',
  }),
  host: z
    .string()
    .default('127.0.0.1')
    .meta({ description: 'Address that the worker listens on.', env: 'HYDRA_WORKER_HOST' }),
  advertisedHost: z.string().optional().meta({
    description: 'Host under which gateways reach the worker. Default: `workers.host`.',
    env: 'HYDRA_WORKER_ADVERTISED_HOST',
  }),
  grpcPort: port.default(9092).meta({
    description: "Port of the worker's gRPC services; 0 takes a free one.",
    env: 'HYDRA_WORKER_GRPC_PORT',
  }),
  httpPort: port
    .default(8082)
    .meta({ description: 'Port of health and metrics; 0 takes a free one.', env: 'HYDRA_WORKER_HTTP_PORT' }),
  threads: count.optional().meta({
    description: 'Compute threads of the engine. Default: the cores shared by the workers.',
    env: 'HYDRA_THREADS',
  }),
  device: z.enum(['cpu', 'cuda']).default('cpu').meta({
    description: 'Where the embedded engine computes; `cuda` needs the libraries of docs/gpu.md.',
    env: 'HYDRA_DEVICE',
  }),
  deviceId: z
    .number()
    .int()
    .min(0)
    .default(0)
    .meta({ description: 'Which of the CUDA devices that the process sees.', env: 'HYDRA_DEVICE_ID' }),
  kvBytes: bytes.default(1024 * 1024 * 1024).meta({
    description:
      'Most memory for attention state, in bytes; sequences take of it as they grow, and computed prefixes are kept in the rest.',
    env: 'HYDRA_KV_BYTES',
  }),
  prefixCache: z.boolean().default(true).meta({
    description:
      'Whether computed prefixes are kept, so that a prompt that begins like an earlier one costs its new tokens only.',
    env: 'HYDRA_PREFIX_CACHE',
  }),
  prefixEviction: z.enum(['lru', 'lfuda']).default('lru').meta({
    description:
      'Which computed prefixes go first when room is needed: those used the longest ago (`lru`), or those used seldom and long ago (`lfuda`).',
    env: 'HYDRA_PREFIX_EVICTION',
  }),
  kvTransfer: z.boolean().default(true).meta({
    description:
      'Whether workers have blocks of computed prefixes from each other: one that is given a prompt fetches what others have of it where that is faster than computing.',
    env: 'HYDRA_KV_TRANSFER',
  }),
  kvFetchTimeoutMs: milliseconds.default(2_000).meta({
    description:
      'Longest time that a prompt waits for such blocks; then it computes what has not come, in milliseconds.',
    env: 'HYDRA_KV_FETCH_TIMEOUT_MS',
  }),
  order: z.enum(['fifo', 'srpt']).default('fifo').meta({
    description:
      'In which order prompts are computed: as they came (`fifo`), or the shortest remaining one first (`srpt`), where each millisecond of waiting counts as one token less, so that long ones get their turn.',
    env: 'HYDRA_WORKER_ORDER',
  }),
  maxSequences: count.default(32).meta({
    description:
      'Sequences that run at once in a worker, as far as `kvBytes` holds them; more raise throughput little and make each slower.',
    env: 'HYDRA_MAX_SEQUENCES',
  }),
  waitingGenerations: count.default(256).meta({
    description: 'Generations that may wait inside a worker.',
    env: 'HYDRA_WORKER_WAITING_GENERATIONS',
  }),
  stepTimeoutMs: milliseconds.default(30_000).meta({
    description:
      'A step of the embedded engine that takes longer is taken for hung: the engine is started again, in milliseconds.',
    env: 'HYDRA_STEP_TIMEOUT_MS',
  }),
  drainTimeoutMs: milliseconds.default(30_000).meta({
    reload: 'live',
    description: 'Time that running generations have after SIGTERM, in milliseconds.',
    env: 'HYDRA_DRAIN_TIMEOUT_MS',
  }),
});
