import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { KvSourceKind, type Lease } from '#lib/contracts';
import { nameInLayout } from '#lib/kv';
import { FakeCache, SchedulerFixture, servedModel, stored } from './scheduler.test-support.js';

let fixture: SchedulerFixture;
afterEach(() => fixture.close());

const WAIT_MS = 20_000;
const hashes = Array.from({ length: 64 }, (_, index) => Buffer.alloc(16, index + 1));
const kvLayout = Buffer.alloc(16, 0x55);
const models = [servedModel({ maxRunningSequences: 4, modelFingerprint: 'f', kvBytesPerToken: 64, kvLayout })];
const prompt = { promptTokens: 1_025, prefixHashes: Buffer.concat(hashes) };
const names = hashes.map((hash) => Buffer.from(nameInLayout(hash, kvLayout)));
const held = { firstSequence: 1, events: [stored(names)] };

async function place(): Promise<Lease> {
  const lease = await fixture.placed(prompt);
  await fixture.release(lease);
  return lease;
}

/** Where a worker that holds nothing is to have the prompt from, once that is so. */
async function untilFetchedFrom(targets: readonly string[]): Promise<Lease> {
  return vi.waitFor(async () => {
    const lease = await place();
    expect(lease.kvSources.map(({ target }) => target)).toEqual(targets);
    return lease;
  }, WAIT_MS);
}

async function start(settings = {}): Promise<void> {
  fixture = await SchedulerFixture.start(settings);
  await fixture.join('w0', { models, kvTarget: '127.0.0.1:7777' });
}

describe('caches of KV blocks that announce what they hold', () => {
  it('given a cache that holds a prompt, then a worker is told to fetch it there, the answer names it, and nothing is placed on it', async () => {
    await start();
    const cache = await fixture.announce({ cacheId: 'c0', target: '127.0.0.1:9999' });
    cache.holds(held);
    const lease = await untilFetchedFrom(['127.0.0.1:9999']);
    expect(lease).toMatchObject({
      ...{ workerId: 'w0', expectedCachedTokens: 1_024 },
      kvSources: [{ kind: KvSourceKind.KVCACHE, blockHashes: hashes }],
    });
    const { explanation } = await fixture.place({ ...prompt, explain: true }).response;
    expect(explanation).toMatchObject({ chosenWorkerId: 'w0', fetchedFromWorkerId: '', fetchedFromCacheIds: ['c0'] });
    expect(explanation?.candidates.map(({ workerId }) => workerId)).toEqual(['w0']);
    const metrics = await (await fixture.get('/metrics')).text();
    expect(metrics).toMatch(/hydra_scheduler_kv_fetches_total{model="m",from="kvcache"} [1-9]/);
    expect(metrics).toContain('hydra_scheduler_kvcaches 1');
    expect(metrics).toContain('hydra_scheduler_kvcache_blocks 64');
  });

  it('given a cache whose stream breaks, then what it held is forgotten, and known again when it is back', async () => {
    await start();
    const cache = await fixture.announce();
    cache.holds(held);
    await untilFetchedFrom(['127.0.0.1:9']);
    cache.kill();
    await untilFetchedFrom([]);
    const again = await fixture.announce();
    again.holds({ firstSequence: 2, events: [] }); // it has told one event before
    await again.next('requestKvSnapshot');
    again.holds({ firstSequence: 2, snapshot: true, events: [stored(names)] });
    await untilFetchedFrom(['127.0.0.1:9']);
  });

  it('given a later life of a cache, then it holds nothing yet and the earlier one is told to go; an earlier life is sent away', async () => {
    await start();
    const first = await fixture.announce({ cacheEpoch: 5 });
    first.holds(held);
    await untilFetchedFrom(['127.0.0.1:9']);
    await fixture.announce({ cacheEpoch: 6, target: '127.0.0.1:10' });
    expect((await first.next('superseded')).directive?.value).toEqual({ byEpoch: 6 });
    expect((await first.ended).code).toBe(status.OK);
    await untilFetchedFrom([]);
    const old = new FakeCache(fixture.fleet.announce());
    old.register({ cacheEpoch: 4 });
    await old.next('superseded');
  });

  it('given a cache that says nothing for too long, then it is forgotten and its stream ends', async () => {
    await start({ workerTimeoutMs: 1_000 });
    const cache = await fixture.announce();
    expect(await cache.ended).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(await (await fixture.get('/metrics')).text()).toContain('hydra_scheduler_kvcaches 0');
  });

  it.each<[string, (cache: FakeCache) => void]>([
    ['events before a registration', (cache) => cache.holds(held)],
    ['no id', (cache) => cache.register({ cacheId: '' })],
    ['no target', (cache) => cache.register({ target: '' })],
    [
      'a second registration',
      (cache) => {
        cache.register({});
        cache.register({ cacheId: 'another' });
      },
    ],
  ])('given %s, then the stream ends with a reason', async (_, say) => {
    await start();
    const cache = new FakeCache(fixture.fleet.announce());
    say(cache);
    expect(await cache.ended).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(await (await fixture.get('/metrics')).text()).toContain('hydra_scheduler_kvcaches 0');
  });
});
