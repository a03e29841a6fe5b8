import { afterAll } from 'vitest';
import { describeRotatedKeys } from '../../apps/gateway/src/limits/rotated-key.conformance.js';
import { type RunningRedis, startRedis } from './support/redis.js';

let redis: RunningRedis;
afterAll(() => redis.stop());

describeRotatedKeys('Redis', async () => {
  redis = await startRedis();
  return { redisUrl: redis.url };
});
