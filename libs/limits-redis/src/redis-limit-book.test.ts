import { expect, it, onTestFinished } from 'vitest';
import { LimitsUnavailableError, type Reservation } from '#lib/limits';
import { RedisLimitBook } from './redis-limit-book.js';
import { connectRedis } from './redis-scripts.js';

const MANY = 10_050;

const ask = (id: number): Reservation => ({
  ...{ id: `answer-${id}`, tenantId: 'tenant', subjects: [{ id: 'all', limits: { tokensPerDay: 100 } }] },
  price: { input: 1, cachedInput: 1, output: 1 },
  ...{ promptTokens: 10, outputTokens: 100, leastOutputTokens: 1, sliceTokens: 20 },
  about: { keyId: 'key', modelId: 'model', requestId: 'request' },
});

it('given a Redis that stays away, when more than any bound is asked, then it is refused without one more thing kept for Redis', async () => {
  const client = connectRedis('redis://127.0.0.1:1', false); // nobody listens there
  onTestFinished(() => client.disconnect());
  const book = new RedisLimitBook(client, { gatewayId: 'gateway', takeEntries: async () => {}, onFailure: () => {} });
  const why: string[] = [];
  for (let id = 0; id < MANY; id++) {
    await book.begin(ask(id)).catch((error: unknown) => {
      expect(error).toBeInstanceOf(LimitsUnavailableError);
      why.push((error as Error).message);
    });
  }
  expect(why).toHaveLength(MANY);
  expect(why[0]).toContain('Redis cannot be reached');
  expect(why.at(-1)).toBe('more settlements wait for Redis than may');
  expect(why.filter((message) => message === why.at(-1))).toHaveLength(MANY - 10_000);
});
