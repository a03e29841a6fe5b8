import { z } from 'zod';
import { count } from './quantities.js';

export const OUTAGE_POLICIES = ['closed', 'local'] as const;

export const limitsSchema = z.strictObject({
  redisUrl: z
    .string()
    .regex(/^rediss?:\/\//, 'expected a URL that begins with `redis://` or `rediss://`')
    .optional()
    .meta({
      description:
        'Where several gateways count together: `redis://…` or `rediss://…`; never logged. Absent: each counts for itself, in memory.',
      env: 'HYDRA_REDIS_URL',
      secret: true,
    }),
  redisCluster: z
    .boolean()
    .default(false)
    .meta({ description: 'Whether `redisUrl` is a node of a Redis Cluster.', env: 'HYDRA_REDIS_CLUSTER' }),
  onOutage: z.enum(OUTAGE_POLICIES).default('closed').meta({
    reload: 'live',
    description:
      'While Redis cannot be reached: `closed` lets nothing in, `local` lets each gateway give a share of every limit and count it for itself.',
    env: 'HYDRA_LIMITS_ON_OUTAGE',
  }),
  outageShare: z.number().gt(0).max(1).default(0.1).meta({
    reload: 'live',
    description: 'Share of every limit that a gateway may give during outages, with `onOutage: local`.',
  }),
  sliceTokens: count.default(64).meta({
    reload: 'live',
    description:
      'Tokens of an answer that are reserved at a time, ahead of their delivery; what a gateway that dies is charged for at most, per answer.',
  }),
});
