import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openRedis } from '#lib/redis';
import { describeBlockTier, keysOf, someChain } from '../../libs/kv-store/src/block-tier.conformance.js';
import { RedisTier } from '../../libs/kv-store/src/index.js';
import { type RunningRedis, startRedis, startRedisCluster } from './support/redis.js';

const never = new AbortController().signal;
const servers: RunningRedis[] = [];
const closers: (() => Promise<unknown>)[] = [];

async function open(url: string, isCluster: boolean, settings: { ttlMs?: number; mostCommands?: number } = {}) {
  const client = openRedis(url, isCluster, { commandTimeoutMs: 5_000 });
  await vi.waitFor(() => expect(client.status).toBe('ready'), 10_000);
  const tier = new RedisTier(client, { ttlMs: 60_000, timeoutMs: 5_000, mostCommands: 1_024, ...settings });
  closers.push(() => tier.close());
  return tier;
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
])('blocks in $name', ({ name, server, isCluster }) => {
  const url = () => String(servers[server]?.url);
  describeBlockTier(`in ${name}`, async () => ({ tier: await open(url(), isCluster), leave: async () => {} }));

  it('given a time to live, when nobody uses a block for so long, then it is gone; a use renews it', async () => {
    const tier = await open(url(), isCluster, { ttlMs: 1_500 });
    const other = await open(url(), isCluster, { ttlMs: 600_000 });
    const [unused, used] = [someChain(1), someChain(1)];
    await tier.write([...unused, ...used], never);
    await other.touch(keysOf(used), never);
    await vi.waitFor(async () => expect(await tier.has(keysOf(unused), never)).toBe(0), { timeout: 20_000 });
    expect(await tier.has(keysOf(used), never)).toBe(1);
  });

  it('given more keys than commands may be under way, when one asks, then they go in turns', async () => {
    const tier = await open(url(), isCluster, { mostCommands: 7 });
    const chain = someChain(50);
    expect(await tier.write(chain, never)).toBe(50);
    expect(await tier.read(keysOf(chain), never)).toHaveLength(50);
  });
});

describe('a Redis that goes away', () => {
  it('given blocks written, when it is killed and comes back empty, then calls fail meanwhile and go on after', async () => {
    const own = await startRedis();
    const tier = await open(own.url, false);
    const chain = someChain(3);
    await tier.write(chain, never);
    await own.stop('SIGKILL');
    await vi.waitFor(() => expect(tier.has(keysOf(chain), never)).rejects.toThrow('not available'), 10_000);
    const again = await startRedis({ port: Number(new URL(own.url).port) });
    await vi.waitFor(async () => expect(await tier.has(keysOf(chain), never)).toBe(0), { timeout: 30_000 });
    expect(await tier.write(chain, never)).toBe(3);
    expect(await tier.has(keysOf(chain), never)).toBe(3);
    await again.stop();
  });
});
