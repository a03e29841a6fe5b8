import { z } from 'zod';
import { count, milliseconds, port } from './quantities.js';

const weight = z.number().min(0).max(1_000);

/** Options of the strategy `weighted`. */
const weightedSchema = z.strictObject({
  loadFactor: z
    .number()
    .min(0)
    .default(1.5)
    .describe(
      'Filter: workers with more load than this multiple of the mean are left out while there is another; 0 is off.',
    ),
  weights: z
    .strictObject({
      prefix: weight.default(3).describe('Score: share of the prompt that the worker holds.'),
      pending: weight
        .default(2)
        .describe('Score: few prompt tokens to compute, against the most among the candidates.'),
      load: weight.default(1).describe('Score: free places.'),
      kv: weight.default(0).describe('Score: little KV expected by leases, against the most among the candidates.'),
    })
    .prefault({}),
  pick: z
    .enum(['best', 'proportional'])
    .default('best')
    .describe('Pick: the largest sum, or at random in proportion to the sums.'),
});

export const schedulerSchema = z.strictObject({
  host: z
    .string()
    .default('127.0.0.1')
    .meta({ description: 'Address that the scheduler listens on.', env: 'HYDRA_SCHEDULER_HOST' }),
  grpcPort: port.default(9091).meta({ description: 'Port of its gRPC services.', env: 'HYDRA_SCHEDULER_GRPC_PORT' }),
  httpPort: port.default(8081).meta({ description: 'Port of health and metrics.', env: 'HYDRA_SCHEDULER_HTTP_PORT' }),
  target: z.string().default('127.0.0.1:9091').meta({
    description: 'gRPC target under which the others reach the scheduler.',
    env: 'HYDRA_SCHEDULER_TARGET',
  }),
  targets: z.array(z.string().min(1)).max(64).default([]).meta({
    description:
      'gRPC targets of all schedulers, when there are several: each model is placed by one of them, and by the next when that one is gone. Default: `scheduler.target` alone.',
    env: 'HYDRA_SCHEDULER_TARGETS',
  }),
  queueLength: count
    .default(1_024)
    .meta({ reload: 'live', description: 'Requests that may wait for a place, per model.' }),
  queueTimeoutMs: milliseconds
    .default(60_000)
    .meta({ reload: 'live', description: 'Longest wait for a place, in milliseconds.' }),
  workerTimeoutMs: milliseconds.default(5_000).describe('Silence after which a worker is taken out, in milliseconds.'),
  reportIntervalMs: milliseconds.default(500).describe('Time between state reports of a worker, in milliseconds.'),
  leaseTtlMs: milliseconds.default(15_000).describe('Life of a lease from each renewal, in milliseconds.'),
  waitingPerWorker: z.number().int().min(0).default(4).meta({
    reload: 'live',
    description: 'Generations that may wait in a worker beyond its batch before it counts as full.',
  }),
  stepsPerWorker: z.number().gt(0).default(2).meta({
    reload: 'live',
    description:
      'A worker counts as full when its running sequences and the prompt tokens it has not computed are more than this many steps carry.',
  }),
  consistentHashLoadFactor: z
    .number()
    .min(1)
    .default(1.25)
    .describe(
      '`consistent-hash`, `prefix-aware`, `adapter-affinity`: most load of a worker as a multiple of the mean.',
    ),
  kvIndexBlocks: count
    .default(262_144)
    .describe('Distinct KV blocks whose workers are remembered; 67 bytes each, rounded up to a power of two.'),
  weighted: weightedSchema.prefault({}).describe('`weighted`: filter, score, pick.'),
});
