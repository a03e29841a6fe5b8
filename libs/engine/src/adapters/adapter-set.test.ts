import { describe, expect, it } from 'vitest';
import type { AdapterRoom } from './adapter-room.js';
import { AdapterSet, type LoadedAdapter } from './adapter-set.js';
import type { EngineAdapter } from './engine-adapter.js';

const never = new AbortController().signal;

/** Sources are versions; those that begin with `bad` cannot be read. */
class FakeRoom implements AdapterRoom {
  readonly held = new Map<number, string>();
  opened = 0;

  constructor(readonly slots: number) {}

  async open(source: string) {
    if (source.startsWith('bad')) throw new Error(`${source} is bad`);
    this.opened++;
    return {
      ...{ version: source, rank: 4, bytes: 1_024 },
      load: async (slot: number) => {
        if (this.held.has(slot)) throw new Error(`slot ${slot} is taken`);
        if (source.startsWith('torn')) throw new Error(`${source} is torn`);
        this.held.set(slot, source);
      },
      close: async () => void this.opened--,
    };
  }

  async unload(slot: number): Promise<void> {
    if (!this.held.delete(slot)) throw new Error(`slot ${slot} is free`);
  }
}

function create(most = 2) {
  const room = new FakeRoom(most + 1);
  const used = new Set<LoadedAdapter>();
  const told: (readonly EngineAdapter[])[] = [];
  const set = new AdapterSet(
    room,
    (adapter) => used.has(adapter),
    (adapters) => told.push(adapters),
  );
  const load = (adapterId: string, source: string) => set.load({ adapterId, source }, never);
  return { room, used, told, set, load };
}

describe('AdapterSet', () => {
  it('given the same adapter again, when loaded, then it stays as it is and nobody is told', async () => {
    const { room, told, set, load } = create();
    const adapter = { adapterId: 'a', source: 'v1', version: 'v1', rank: 4, bytes: 1_024 };
    expect(await load('a', 'v1')).toEqual({ kind: 'done', adapter });
    const first = set.find('a');
    expect(await load('a', 'v1')).toEqual({ kind: 'done', adapter });
    expect(set.find('a')).toBe(first);
    expect(told).toEqual([[adapter]]);
    expect(room.opened).toBe(0);
  });

  it('given another version of an adapter in use, when loaded, then new generations get it, and the old one goes with those that use it', async () => {
    const { room, used, set, load } = create(1);
    await load('a', 'v1');
    const old = set.find('a')!;
    used.add(old);
    expect((await load('a', 'v2')).kind).toBe('done');
    expect(set.find('a')!.version).toBe('v2');
    expect([...room.held.values()].sort()).toEqual(['v1', 'v2']);
    expect(await load('a', 'v3')).toMatchObject({ kind: 'refused', reason: 'no-room' });
    used.delete(old);
    await set.settle();
    expect([...room.held.values()]).toEqual(['v2']);
    expect((await load('a', 'v3')).kind).toBe('done');
    expect(set.list().map(({ version }) => version)).toEqual(['v3']);
  });

  it('given as many adapters as there may be, when another comes, then it is refused until one goes', async () => {
    const { set, load } = create(2);
    await load('a', 'v1');
    await load('b', 'v1');
    expect(await load('c', 'v1')).toMatchObject({ kind: 'refused', reason: 'no-room' });
    expect((await set.unload('a', never)).kind).toBe('done');
    expect((await load('c', 'v1')).kind).toBe('done');
    expect(set.list().map(({ adapterId }) => adapterId)).toEqual(['b', 'c']);
  });

  it('given an adapter in use, when unloaded, then nobody gets it any more, and it goes when its generation ends', async () => {
    const { room, used, told, set, load } = create();
    await load('a', 'v1');
    const adapter = set.find('a')!;
    used.add(adapter);
    let isDone = false;
    const unloaded = set.unload('a', never).then((outcome) => {
      isDone = true;
      return outcome;
    });
    expect(set.find('a')).toBeUndefined();
    expect(told.at(-1)).toEqual([]);
    await set.settle();
    expect([isDone, room.held.size]).toEqual([false, 1]);
    used.clear();
    await set.settle();
    expect((await unloaded).kind).toBe('done');
    expect(room.held.size).toBe(0);
  });

  it('given a deadline that passes, when an adapter in use is unloaded, then that is told, and it goes later', async () => {
    const { room, used, set, load } = create();
    await load('a', 'v1');
    used.add(set.find('a')!);
    const deadline = new AbortController();
    const unloaded = set.unload('a', deadline.signal);
    deadline.abort();
    expect(await unloaded).toMatchObject({ kind: 'refused', reason: 'in-use' });
    expect(await set.unload('a', never)).toMatchObject({ kind: 'refused', reason: 'unknown' });
    used.clear();
    await set.settle();
    expect(room.held.size).toBe(0);
  });

  it.each(['bad', 'torn'])(
    'given a %s adapter, when loaded, then its reason is told and its slot is free',
    async (source) => {
      const { room, set, load } = create(1);
      expect(await load('a', source)).toEqual({
        kind: 'refused',
        reason: 'unusable',
        message: `${source} is ${source}`,
      });
      expect(set.list()).toEqual([]);
      expect((await load('b', 'v1')).kind).toBe('done');
      expect([room.held.size, room.opened]).toEqual([1, 0]);
    },
  );
});
