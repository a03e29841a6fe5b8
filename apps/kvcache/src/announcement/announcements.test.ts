import { credentials, Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { clientChannelOptions, serverChannelOptions } from '#lib/channels';
import { hydraSchema } from '#lib/config';
import { type CacheEvent, type FleetDirective, FleetService, type KvBlock, KvBlocksClient } from '#lib/contracts';
import { PrefixHashes } from '#lib/kv';
import { layoutName } from '#lib/kv-transfer';
import { createLogger } from '#lib/observability';
import { CacheFleet } from '#lib/placement';
import { blocksOf, TEST_LAYOUT } from '../../../../libs/kv-transfer/testing/kv-blocks.js';
import { type RunningKvcache, startKvcache } from '../start-kvcache.js';

const WAIT_MS = 20_000;
/** One MiB in pages of 16 KiB. */
const MOST_BLOCKS = 64;

/** A scheduler's end of `Announce`, which follows as schedulers do. */
class Follower {
  fleet = new CacheFleet({ capacityBlocks: 1_000, timeoutMs: 60_000 });
  registrations: { cacheId: string; cacheEpoch: number; target: string }[] = [];
  snapshots = 0;
  call: ServerDuplexStream<CacheEvent, FleetDirective> | undefined;
  port = 0;
  private server = new Server();

  async listen(): Promise<this> {
    this.server = new Server(serverChannelOptions());
    const notServed = () => {
      throw new Error('not asked for');
    };
    this.server.addService(FleetService, {
      join: notServed,
      watch: notServed,
      announce: (call: ServerDuplexStream<CacheEvent, FleetDirective>) => this.accept(call),
    });
    this.port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    return this;
  }

  /** Its process dies, and with it all that it knew. */
  kill(): void {
    this.server.forceShutdown();
    this.fleet = new CacheFleet({ capacityBlocks: 1_000, timeoutMs: 60_000 });
  }

  holds(blocks: readonly KvBlock[]): boolean {
    const isHeld = ({ blockHash, layout }: KvBlock) =>
      this.fleet.find(PrefixHashes.of([blockHash]), layoutName(layout!)).runsFrom(0).length === 1;
    return blocks.every(isHeld);
  }

  private accept(call: ServerDuplexStream<CacheEvent, FleetDirective>): void {
    this.call = call;
    let cacheId = '';
    let epoch = 0;
    call.on('error', () => {});
    call.on('end', () => {
      this.fleet.remove(cacheId, epoch);
      call.end();
    });
    call.on('data', ({ event }: CacheEvent) => {
      if (event?.$case === 'registration') {
        this.registrations.push(event.value);
        ({ cacheId, cacheEpoch: epoch } = event.value);
        this.fleet.register(event.value, 0);
        const value = { schedulerId: 's', schedulerEpoch: 1, reportIntervalMs: 50 };
        call.write({ directive: { $case: 'accepted', value } });
      } else if (event?.$case === 'kvEvents') {
        if (event.value.snapshot) this.snapshots++;
        if (this.fleet.apply(cacheId, epoch, event.value, 0) === 'current') return;
        call.write({ directive: { $case: 'requestKvSnapshot', value: {} } });
      }
    });
  }
}

let followers: Follower[];
let kvcache: RunningKvcache;
let client: KvBlocksClient;

beforeEach(async () => {
  register.clear(); // one process, one registry, many caches
  followers = [await new Follower().listen(), await new Follower().listen()];
  const config = hydraSchema.parse({
    kvcache: { grpcPort: 0, httpPort: 0, memoryBytes: 1_048_576, name: 'kvcache-7' },
    scheduler: { targets: followers.map(({ port }) => `127.0.0.1:${port}`) },
  });
  kvcache = await startKvcache(config, createLogger('kvcache', { level: 'silent', format: 'json' }));
  const target = `127.0.0.1:${kvcache.grpcPort}`;
  client = new KvBlocksClient(target, credentials.createInsecure(), clientChannelOptions());
});
afterEach(async () => {
  client.close();
  await kvcache.close();
  for (const follower of followers) follower.kill();
});

async function put(blocks: readonly KvBlock[]): Promise<void> {
  await new Promise((resolve, reject) => {
    const call = client.put((error, answer) => (error === null ? resolve(answer) : reject(error)));
    for (const block of blocks) call.write(block);
    call.end();
  });
}

const promptOf = (first: number) => Array.from({ length: 10 }, (_, index) => first * 100 + index);
const readMetric = async (name: string) => {
  const page = await (await fetch(`http://127.0.0.1:${kvcache.httpPort}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1]);
};

describe('what a cache of KV blocks tells schedulers', () => {
  it('given blocks that come, and go for others, then every scheduler knows those that are held, and where', async () => {
    for (let n = 0; n < 30; n++) await put(blocksOf(promptOf(n)));
    const last = blocksOf(promptOf(29));
    for (const follower of followers) {
      await vi.waitFor(() => {
        expect(follower.holds(last)).toBe(true);
        expect(follower.fleet.heldBlocks).toBe(MOST_BLOCKS);
      }, WAIT_MS);
      expect(follower.holds(blocksOf(promptOf(0)))).toBe(false);
      const [run] = follower.fleet.find(PrefixHashes.of([last[0]!.blockHash]), layoutName(TEST_LAYOUT)).runsFrom(0);
      expect(run?.cache).toMatchObject({ cacheId: 'kvcache-7', target: `127.0.0.1:${kvcache.grpcPort}` });
      expect(follower.snapshots).toBe(0);
    }
    expect(await readMetric('hydra_kvcache_memory_blocks')).toBe(MOST_BLOCKS);
    expect(await readMetric('hydra_kvcache_schedulers')).toBe(2);
  });

  it('given a scheduler that is killed and comes back, then it is told all again, under the same life; the other hears nothing of it', async () => {
    const [one, other] = followers as [Follower, Follower];
    await put(blocksOf(promptOf(0)));
    await vi.waitFor(() => expect([one, other].map(({ fleet }) => fleet.heldBlocks)).toEqual([5, 5]), WAIT_MS);
    one.kill();
    await put(blocksOf(promptOf(1)));
    await one.listen();
    await vi.waitFor(() => expect([one, other].map(({ fleet }) => fleet.heldBlocks)).toEqual([10, 10]), WAIT_MS);
    expect(one.snapshots).toBeGreaterThan(0);
    expect(other.snapshots).toBe(0);
    expect(one.registrations).toHaveLength(2);
    expect(one.registrations[1]).toEqual(one.registrations[0]);
  });

  it('given blocks in two layouts, then each is known in its own, and gone when it goes', async () => {
    const [follower] = followers as [Follower];
    const blocks = blocksOf(promptOf(0));
    await put(blocks);
    const others = blocks.map((block) => ({ ...block, layout: { ...block.layout!, kernels: 'another processor' } }));
    await vi.waitFor(() => expect(follower.holds(blocks)).toBe(true), WAIT_MS);
    expect(follower.holds(others.slice(0, 1))).toBe(false);
    await put(others);
    await vi.waitFor(() => expect(follower.holds(others)).toBe(true), WAIT_MS);
    expect(follower.fleet.heldBlocks).toBe(10);
    for (let n = 1; n < 12; n++) await put(blocksOf(promptOf(n))); // room for 64: one of the 65 has to go
    await vi.waitFor(() => {
      expect(follower.fleet.heldBlocks).toBe(MOST_BLOCKS);
      expect([blocks, others].map((some) => follower.holds(some.slice(-1)))).toEqual([false, true]);
    }, WAIT_MS);
    expect(follower.snapshots).toBe(0);
  });

  it('given a later life of the cache, when it is told so, then it serves on and announces itself no more', async () => {
    const [follower] = followers as [Follower];
    await vi.waitFor(() => expect(follower.registrations).toHaveLength(1), WAIT_MS);
    follower.call!.write({ directive: { $case: 'superseded', value: { byEpoch: Date.now() + 1 } } });
    await vi.waitFor(async () => expect(await readMetric('hydra_kvcache_schedulers')).toBe(1), WAIT_MS);
    await put(blocksOf(promptOf(0)));
    await vi.waitFor(() => expect(followers[1]!.fleet.heldBlocks).toBe(5), WAIT_MS);
    expect(follower.registrations).toHaveLength(1);
    expect(follower.fleet.heldBlocks).toBe(0);
  });

  it('given a cache that ends, then schedulers forget it before its blocks are gone', async () => {
    const [follower] = followers as [Follower];
    await put(blocksOf(promptOf(0)));
    await vi.waitFor(() => expect(follower.fleet.heldBlocks).toBe(5), WAIT_MS);
    const ended = new Promise((resolve) => follower.call!.once('end', resolve));
    await kvcache.close();
    await ended;
    expect(follower.fleet.size).toBe(0);
    await expect(put(blocksOf(promptOf(1)))).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });
});
