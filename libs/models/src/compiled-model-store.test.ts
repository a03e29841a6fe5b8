import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deadProcessId } from '../testing/dead-process.js';
import { tempFolder } from '../testing/temp-folder.js';
import { CompiledModelStore } from './compiled-model-store.js';

const UUID = '01234567-89ab-4cde-8f01-23456789abcd';

async function setUp(): Promise<CompiledModelStore> {
  return new CompiledModelStore(join(await tempFolder(), 'compiled'));
}

function writes(text: string): (folder: string) => Promise<void> {
  return (folder) => writeFile(join(folder, 'graph'), text);
}

describe('CompiledModelStore', () => {
  it('given a key, when created, then it is found, and not written again', async () => {
    const store = await setUp();
    expect(await store.locate('k1')).toBeUndefined();
    const folder = await store.create('k1', writes('one'));
    expect(await store.create('k1', writes('two'))).toBe(folder);
    expect(await store.locate('k1')).toBe(folder);
    expect(await readFile(join(folder, 'graph'), 'utf8')).toBe('one');
    expect(await readdir(store.folder)).toEqual(['k1']);
  });

  it('given many that create the same at once, when all end, then one has written', async () => {
    const store = await setUp();
    let writeCount = 0;
    const create = () =>
      store.create('k', async (folder) => {
        writeCount += 1;
        await writes('x')(folder);
      });
    const folders = await Promise.all([create(), create(), create()]);
    expect(new Set(folders).size).toBe(1);
    expect(writeCount).toBe(1);
  });

  it('given a compilation that fails, when it does, then nothing stays and the next may try', async () => {
    const store = await setUp();
    const failing = store.create('k', async (folder) => {
      await writes('half')(folder);
      throw new Error('out of ideas');
    });
    await expect(failing).rejects.toThrow('out of ideas');
    expect(await readdir(store.folder)).toEqual([]);
    await store.create('k', writes('whole'));
  });

  it('given what a killed compilation left, when the same is created, then only that goes', async () => {
    const store = await setUp();
    await mkdir(join(store.folder, `.unfinished-k-${UUID}`), { recursive: true });
    await mkdir(join(store.folder, `.unfinished-k-other-${UUID}`));
    await store.create('k', writes('x'));
    expect((await readdir(store.folder)).sort()).toEqual([`.unfinished-k-other-${UUID}`, 'k']);
  });

  it('given a writer that its signal ended, when the same is created, then the next goes on in its folder', async () => {
    const store = await setUp();
    const controller = new AbortController();
    const ended = store.create(
      'k',
      async (folder) => {
        await writes('half')(folder);
        controller.abort(new Error('enough'));
        controller.signal.throwIfAborted();
      },
      { signal: controller.signal },
    );
    await expect(ended).rejects.toThrow('enough');
    const folder = await store.create('k', async (found) => {
      expect(await readFile(join(found, 'graph'), 'utf8')).toBe('half');
      await writes('whole')(found);
    });
    expect(await readdir(folder)).toEqual(['graph']);
    expect(await readdir(store.folder)).toEqual(['k']);
  });

  it.each([
    [
      'of this machine whose process is gone',
      async () => ({ processId: await deadProcessId(), host: hostname() }),
      ['graph'],
    ],
    ['of this process', async () => ({ processId: process.pid, host: hostname() }), []],
    ['of another machine', async () => ({ processId: 1, host: 'another' }), []],
  ])(
    'given what a writer %s left, when the same is created, then it is gone on with only if nobody can write there any more',
    async (_, writer, found) => {
      const store = await setUp();
      const left = join(store.folder, `.unfinished-k-${UUID}`);
      await mkdir(left, { recursive: true });
      await writeFile(join(left, 'graph'), 'half');
      await writeFile(join(left, 'hydra-writer.json'), JSON.stringify({ writer: { nonce: 'n', ...(await writer()) } }));
      await store.create('k', async (folder) => {
        expect((await readdir(folder)).filter((name) => name !== 'hydra-writer.json')).toEqual(found);
      });
      expect(await readdir(store.folder)).toEqual(['k']);
    },
  );

  it('given leftovers, when removed, then those of a compilation that runs stay', async () => {
    const store = await setUp();
    await mkdir(join(store.folder, `.unfinished-dead-${UUID}`), { recursive: true });
    await writeFile(join(store.folder, `.unfinished-dead-${UUID}`, 'x'), 'abc');
    await store.create('alive', async (folder) => {
      await writes('x')(folder);
      expect(await store.removeLeftovers()).toBe(3);
    });
    expect(await readdir(store.folder)).toEqual(['alive']);
  });

  it('given compiled models, when listed, then each has its size, its last use and its model', async () => {
    const store = await setUp();
    const folder = await store.create('k', writes('12345'), { model: { id: 'tiny', contentKey: 'c' } });
    const longAgo = new Date('2020-01-01');
    await utimes(folder, longAgo, longAgo);
    const [listed] = await store.list();
    expect(listed).toMatchObject({ key: 'k', folder, lastUsed: longAgo, model: { id: 'tiny', contentKey: 'c' } });
    await store.locate('k');
    expect((await store.list())[0]?.lastUsed.getTime()).toBeGreaterThan(longAgo.getTime());
    expect(await store.remove('k')).toBe(listed?.bytes);
    expect(await store.list()).toEqual([]);
  });

  it.each(['', '..', 'a/b', '.hidden', 'x'.repeat(201)])(
    'given %j as a key, when located, then it is refused',
    async (key) => {
      const store = await setUp();
      await expect(store.locate(key)).rejects.toThrow(RangeError);
    },
  );
});
