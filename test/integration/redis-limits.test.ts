import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RedisClient } from '#lib/redis';
import type { LimitBook, Limits, Reservation, UsageEntry } from '../../libs/limits/src/index.js';
import { describeLimitBook } from '../../libs/limits/src/limit-book.conformance.js';
import { connectRedis, RedisLimitBook, RedisRequestWindows } from '../../libs/limits-redis/src/index.js';
import { type RunningRedis, startRedis, startRedisCluster } from './support/redis.js';

const LONGER_THAN_A_LEASE_MS = 3_001;

const servers: RunningRedis[] = [];
const closers: (() => Promise<unknown>)[] = [];
let ids = 0;

async function connected(url: string, isCluster = false): Promise<RedisClient> {
  const client = connectRedis(url, isCluster);
  await vi.waitFor(() => expect(client.status).toBe('ready'), 10_000);
  closers.push(async () => client.disconnect());
  return client;
}

interface Opened {
  readonly gatewayId: string;
  readonly book: RedisLimitBook;
  readonly entries: UsageEntry[];
  readonly client: RedisClient;
}

/** @param knowsBefore  whether Redis may ask for what the ledger has */
async function open(
  url: string,
  isCluster = false,
  toLedger?: () => Promise<void>,
  knowsBefore = false,
): Promise<Opened> {
  const client = await connected(url, isCluster);
  const entries: UsageEntry[] = [];
  const takeEntries = async (some: readonly UsageEntry[]) => {
    await toLedger?.();
    entries.push(...some);
  };
  const gatewayId = `gateway-${ids++}`;
  const usedBefore = async (tenantId: string) => {
    const own = entries.filter((entry) => entry.tenantId === tenantId);
    const tokens = own.reduce((sum, { promptTokens, completionTokens }) => sum + promptTokens + completionTokens, 0);
    const nanos = own.reduce((sum, { costNanos }) => sum + costNanos, 0);
    return { day: { tokens, nanos }, month: { tokens, nanos } };
  };
  const options = { gatewayId, takeEntries, onFailure: () => {}, ...(knowsBefore && { usedBefore }) };
  const book = new RedisLimitBook(client, options);
  return { gatewayId, book, entries, client };
}

/** Commands of a connection are carried out in order, and settlements were sent before. */
async function settledOf({ client, entries }: Opened, tenants: ReadonlySet<string>): Promise<readonly UsageEntry[]> {
  for (const tenant of tenants) {
    const outbox = `hydra:limits:{${tenant}}:outbox`;
    await client.xlen(outbox);
  }
  return entries;
}

beforeAll(async () => {
  servers.push(await startRedis(), await startRedisCluster());
});
afterAll(async () => {
  for (const server of servers) await server.stop();
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

describe.each([
  { name: 'Redis', server: 0, isCluster: false },
  { name: 'Redis Cluster', server: 1, isCluster: true },
])('limits in $name', ({ name, server, isCluster }) => {
  const url = () => String(servers[server]?.url);
  describeLimitBook(`in ${name}`, async () => {
    const opened = await open(url(), isCluster);
    const tenants = new Set<string>();
    const begin = opened.book.begin.bind(opened.book);
    opened.book.begin = (reservation) => {
      tenants.add(reservation.tenantId);
      return begin(reservation);
    };
    return {
      book: opened.book,
      settled: async () => {
        await settledOf(opened, tenants);
        await opened.book.tend();
        return opened.entries;
      },
    };
  });

  it('given requests in a window, then the throttler lets in as many as the limit and says when to come back', async () => {
    const windows = new RedisRequestWindows(await connected(url(), isCluster));
    const key = `shared-${ids++}/all`;
    const count = () => windows.increment(key, 60_000, 3);
    const all = await Promise.all([1, 2, 3, 4, 5].map(count));
    expect(all.map(({ isBlocked }) => isBlocked)).toEqual([false, false, false, true, true]);
    expect(all.map(({ totalHits }) => totalHits)).toEqual([1, 2, 3, 3, 3]);
    expect(all[4]?.timeToBlockExpire).toBeGreaterThan(55);
    expect(all[4]?.timeToBlockExpire).toBeLessThanOrEqual(61);
    expect((await windows.increment(`shared-${ids++}/all`, 60_000, 3)).isBlocked).toBe(false);
    const short = `shared-${ids++}/all`;
    await windows.increment(short, 600, 1);
    await vi.waitFor(async () => expect((await windows.increment(short, 600, 1)).isBlocked).toBe(false), 10_000);
  });
});

const ask = (tenantId: string, limits: Limits, wish: Partial<Reservation> = {}): Reservation => ({
  ...{ id: `answer-${ids++}`, tenantId, subjects: [{ id: 'all', limits }] },
  price: { input: 1, cachedInput: 1, output: 1 },
  ...{ promptTokens: 10, outputTokens: 1_000, leastOutputTokens: 1, sliceTokens: 20 },
  about: { keyId: 'key', modelId: 'model', requestId: 'request' },
  ...wish,
});
const covered = async (book: LimitBook, reservation: Reservation) => {
  const decision = await book.begin(reservation);
  return decision.isAllowed ? decision.coveredTokens : decision.name;
};

describe('gateways that share a Redis', () => {
  it('given a gateway that dies, then its slice is charged and the rest is free within 5 s; another one tells the ledger', async () => {
    const [dying, living] = [await open(String(servers[0]?.url)), await open(String(servers[0]?.url))];
    const tenantId = `shared-${ids++}`;
    const limits = { tokensPerDay: 100, concurrentRequests: 1, tokensPerMinute: 2_000 };
    const lost = ask(tenantId, limits);
    expect(await covered(dying.book, lost)).toBe(20);
    expect(await dying.book.extend(lost, 21, 40)).toEqual({ kind: 'covered', coveredTokens: 40 });
    expect(await covered(living.book, ask(tenantId, limits))).toBe('concurrentRequests');
    dying.client.disconnect(); // says nothing more, as the dead do
    const diedAtMs = performance.now();
    await vi.waitFor(() => expect(living.entries.map(({ id }) => id)).toContain(lost.id), { timeout: 20_000 });
    const tookMs = performance.now() - diedAtMs;
    expect(living.entries.find(({ id }) => id === lost.id)).toMatchObject({
      ...{ tenantId, keyId: 'key', promptTokens: 10, completionTokens: 40, costNanos: 50, outcome: 'gateway-lost' },
    });
    expect(await covered(living.book, ask(tenantId, limits, { sliceTokens: 500 }))).toBe(40);
    await expect(dying.book.extend(lost, 41, 60)).rejects.toThrow('Redis cannot be reached');
    expect(await living.book.extend(lost, 41, 60)).toEqual({ kind: 'lapsed' });
    expect(tookMs, 'a bound of the design, with 3 s for a slow machine').toBeLessThan(8_000);
  });

  it.each([
    { ledger: 'fails', toLedger: () => Promise.reject(new Error('away')) },
    { ledger: 'does not answer', toLedger: () => new Promise<void>(() => {}) },
  ])(
    'given a ledger that $ledger, when more than a lease has passed, then no tenant has lost what it reserved',
    async ({ toLedger }) => {
      const asked = vi.fn(toLedger);
      const { book, client, gatewayId } = await open(String(servers[0]?.url), false, asked);
      const [first, second] = [ask(`shared-${ids++}`, {}), ask(`shared-${ids++}`, { tokensPerDay: 100 })];
      await covered(book, first);
      book.settle(first, { promptTokens: 10, cachedTokens: 0, completionTokens: 5, outcome: 'answered' });
      expect(await covered(book, second)).toBe(20);
      const leaseEndMs = async () => Number(await client.zscore(`hydra:limits:{${second.tenantId}}:leases`, gatewayId));
      const begunUntilMs = await leaseEndMs();
      await vi.waitFor(
        async () => expect(await leaseEndMs()).toBeGreaterThan(begunUntilMs + LONGER_THAN_A_LEASE_MS),
        30_000,
      );
      expect(asked).toHaveBeenCalled();
      expect(await book.extend(second, 21, 40)).toEqual({ kind: 'covered', coveredTokens: 40 });
    },
  );

  it('given a Redis that goes away, then nothing is let in, and what ended meanwhile is told when it is back', async () => {
    const own = await startRedis();
    const port = Number(new URL(own.url).port);
    const { book, client } = await open(own.url);
    const [tenantId, limits] = [`shared-${ids++}`, { tokensPerDay: 100 }];
    expect(await covered(book, ask(tenantId, limits))).toBe(20);
    await own.stop('SIGKILL');
    await vi.waitFor(() => expect(client.status).not.toBe('ready'), 10_000);
    await expect(book.begin(ask(tenantId, limits))).rejects.toThrow('Redis cannot be reached');
    const again = await startRedis({ port });
    await vi.waitFor(async () => expect(await covered(book, ask(tenantId, limits))).toBe(20), { timeout: 20_000 });
    await again.stop();
  });

  it('given a Redis that begins anew, empty, then quotas go on where the ledger stands, and what ran is charged when it ends', async () => {
    const own = await startRedis();
    const { book, client, entries } = await open(own.url, false, undefined, true);
    const [tenantId, limits] = [`shared-${ids++}`, { tokensPerDay: 60 }];
    const [ended, runs] = [ask(tenantId, limits), ask(tenantId, limits)];
    expect([await covered(book, ended), await covered(book, runs)]).toEqual([20, 20]);
    book.settle(ended, { promptTokens: 10, cachedTokens: 0, completionTokens: 5, outcome: 'answered' });
    await vi.waitFor(() => expect(entries.map(({ id }) => id)).toEqual([ended.id]), 10_000);
    await own.stop('SIGKILL');
    await vi.waitFor(() => expect(client.status).not.toBe('ready'), 10_000);
    const again = await startRedis({ port: Number(new URL(own.url).port) });
    await vi.waitFor(() => expect(client.status).toBe('ready'), 20_000);
    const next = ask(tenantId, limits, { sliceTokens: 1_000 });
    expect(await covered(book, next)).toBe(60 - 15 - 10);
    book.settle(next, { promptTokens: 10, cachedTokens: 0, completionTokens: 1, outcome: 'answered' });
    book.settle(runs, { promptTokens: 10, cachedTokens: 0, completionTokens: 4, outcome: 'answered' });
    await vi.waitFor(
      () => expect(entries.find(({ id }) => id === runs.id)).toMatchObject({ completionTokens: 4 }),
      10_000,
    );
    const last = ask(tenantId, limits, { sliceTokens: 1_000 });
    expect(await covered(book, last)).toBe(60 - 15 - 11 - 14 - 10);
    await again.stop();
  });

  it('given a limit that is new, then it counts what was used before it was there', async () => {
    const { book, entries } = await open(String(servers[0]?.url), false, undefined, true);
    const tenantId = `shared-${ids++}`;
    const before = ask(tenantId, {}, { subjects: [] });
    await covered(book, before);
    book.settle(before, { promptTokens: 10, cachedTokens: 0, completionTokens: 5, outcome: 'answered' });
    expect(await covered(book, ask(tenantId, { tokensPerDay: 30 }))).toBe(30 - 15 - 10);
    expect(entries.map(({ id }) => id)).toEqual([before.id]); // what waited got to the ledger first
  });
});
