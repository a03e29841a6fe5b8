import { existsSync } from 'node:fs';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { someBytes } from '../testing/file-server.js';
import { type HubFixture, startHub } from '../testing/hub-server.js';
import { tempFolder } from '../testing/temp-folder.js';
import type { CatalogueEntry } from './catalogue.js';
import { DiskFullError, PullFailedError, StorageAccessError, toStorageError, UnsupportedModelError } from './errors.js';
import { FileLock } from './file-lock.js';
import { ModelStore } from './model-store.js';

const POLICY = { attempts: 2, attemptsWithoutNetwork: 2, firstDelayMs: 1, maxDelayMs: 5, maxRetryAfterMs: 1_000 };

/** A model whose first source is a package index that does not answer. */
const ENTRY: CatalogueEntry = {
  name: 'tiny',
  description: 'a test',
  licence: 'MIT',
  aliases: ['t'],
  sources: [
    { kind: 'pypi', package: 'llm-tiny', version: '1', file: 'x.gguf' },
    { kind: 'hub', repo: 'org/small' },
  ],
};

interface Setup extends HubFixture {
  readonly folder: string;
  readonly store: ModelStore;
}

async function setUp(): Promise<Setup> {
  const started = await startHub();
  const folder = await tempFolder();
  const environment = { PIP_CONFIG_FILE: '/dev/null', PIP_INDEX_URL: 'http://127.0.0.1:9/simple' };
  const options = { folder, hubEndpoint: started.hub.url, environment, retryPolicy: POLICY, catalogue: [ENTRY] };
  return { ...started, folder, store: new ModelStore(options) };
}

describe('ModelStore', () => {
  it('given a first source that cannot be reached, when pulled, then the next one gives the model', async () => {
    const { store } = await setUp();
    const failed: string[] = [];
    const model = await store.pullModel('t', {
      onSourceFailed: (source, error) => failed.push(`${source}: ${error.message}`),
    });
    expect(model).toMatchObject({ id: 'tiny', origin: 'hub org/small' });
    expect(failed).toEqual([
      'PyPI llm-tiny 1: 127.0.0.1:9 cannot be reached: the connection was refused (tried 2 times).',
    ]);
  });

  it('given no source that can be reached, when pulled, then the error names each with its reason', async () => {
    const { store, hub } = await setUp();
    const host = new URL(hub.url).host;
    await hub.stop();
    const error = await store.pullModel('tiny').then(undefined, (reason: unknown) => reason);
    expect(error).toBeInstanceOf(PullFailedError);
    expect((error as Error).message).toBe(
      [
        'tiny could not be downloaded from any of its 2 sources:',
        '  PyPI llm-tiny 1: 127.0.0.1:9 cannot be reached: the connection was refused (tried 2 times).',
        `  hub org/small: ${host} cannot be reached: the connection was refused (tried 2 times).`,
      ].join('\n'),
    );
  });

  it('given a storage folder that cannot be made, when pulled, then no other source is tried and the error says so', async () => {
    const { hub, folder } = await setUp();
    await writeFile(join(folder, 'file'), '');
    const options = {
      folder: join(folder, 'file', 'hydra'),
      hubEndpoint: hub.url,
      catalogue: [ENTRY],
      environment: {},
    };
    await expect(new ModelStore(options).pullModel('tiny')).rejects.toThrow(
      /hydra cannot be used: a part of the path is no folder \(ENOTDIR\)\. Make it writable or set `storage\.folder`/,
    );
    expect(hub.requests).toHaveLength(0);
  });

  it.each([
    ['ENOSPC', DiskFullError, /^The disk of \/x is full\. Free some space/],
    [
      'EACCES',
      StorageAccessError,
      /^\/x cannot be used: there is no permission \(EACCES\)\. Make it writable or set `storage\.folder`/,
    ],
    ['EROFS', StorageAccessError, /^\/x cannot be used: the disk is read-only \(EROFS\)/],
  ])('given %s of the file system, when told, then it is one clear sentence', (code, type, message) => {
    const error = toStorageError(Object.assign(new Error(code), { code }), '/x');
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toMatch(message);
  });

  it('given a model larger than the disk, when pulled, then it fails before the first byte', async () => {
    const { store, hub, contents } = await setUp();
    hub.interfere = (request, response) => {
      if (!request.url?.includes('/tree/')) return false;
      const files = ['config.json', 'tokenizer.json', 'model.safetensors'];
      response.end(JSON.stringify(files.map((path) => ({ type: 'file', path, size: 2 ** 50, oid: '' }))));
      return true;
    };
    await expect(store.pullModel('org/small')).rejects.toThrow(/^The disk of .* is full: \d+ MB more are needed\./);
    expect(contents.requests).toHaveLength(0);
  });

  it('given models in every state, when listed, then states and sizes are right', async () => {
    const { store, folder } = await setUp();
    expect(await store.listModels()).toMatchObject([{ name: 'tiny', state: 'available', bytes: 0, licence: 'MIT' }]);
    await mkdir(join(folder, 'models', 'pypi--llm-tiny--1'), { recursive: true });
    await writeFile(join(folder, 'models', 'pypi--llm-tiny--1', 'x.whl.part'), '12345');
    await store.pullModel('org/small@v1.0');
    expect(await store.listModels()).toMatchObject([
      { name: 'tiny', state: 'unfinished', bytes: 5 },
      { name: 'org/small@v1.0', state: 'present', origin: 'hub org/small@v1.0' },
    ]);
  });

  it('given a model and what was compiled from it, when removed, then both go and their bytes are counted', async () => {
    const { store, folder } = await setUp();
    const model = await store.pullModel('tiny');
    const compile = (path: string) => writeFile(join(path, 'graph'), someBytes(1_000));
    await store.compiled.create('mine', compile, { model });
    await store.compiled.create('other', compile, { model: { id: 'other', contentKey: 'x' } });
    expect(await store.removeModel('tiny')).toBeGreaterThan(model.bytes + 1_000);
    expect(await store.locateModel('tiny')).toBeUndefined();
    expect(await readdir(join(folder, 'compiled'))).toEqual(['other']);
    await expect(store.removeModel('tiny')).rejects.toThrow('Unknown model "tiny": it is not downloaded.');
    await expect(store.removeModel(folder)).rejects.toThrow(/a path of your own, which is never removed/);
  });

  it('given a model that is being downloaded, when it is to be removed, then it is refused with the process', async () => {
    const { store, folder } = await setUp();
    const lock = await FileLock.acquire(join(folder, 'models', '.lock-hub--org--small--main'));
    await expect(store.removeModel('tiny')).rejects.toThrow(
      `hub org/small is being downloaded by process ${process.pid}; wait for it or end it first.`,
    );
    await lock.release();
  });

  it('given leftovers, when pruned, then only they go', async () => {
    const { store, folder } = await setUp();
    const model = await store.pullModel('tiny');
    const write = (path: string) => writeFile(join(path, 'graph'), 'x');
    await store.compiled.create('in-use', write, { model });
    await store.compiled.create('orphan', write, { model: { id: 'gone', contentKey: 'gone' } });
    await store.compiled.create('own-folder', write, { model: { id: '/on/another/disk', contentKey: 'own' } });
    const old = await store.compiled.create('old', write, { model });
    const longAgo = new Date('2020-01-01');
    await utimes(old, longAgo, longAgo);
    await mkdir(join(folder, 'models', 'hub--a--b--main'));
    await writeFile(join(folder, 'models', 'hub--a--b--main', 'model.safetensors.part'), '12345');
    await mkdir(join(folder, 'models', 'hub--c--d--main'));
    const lock = await FileLock.acquire(join(folder, 'models', '.lock-hub--c--d--main'));
    const { freedBytes, removed } = await store.pruneModels();
    expect(removed).toEqual(['unfinished download hub--a--b--main', 'compiled model old', 'compiled model orphan']);
    expect(freedBytes).toBeGreaterThan(5);
    expect((await readdir(join(folder, 'compiled'))).sort()).toEqual(['in-use', 'own-folder']);
    expect(existsSync(join(folder, 'models', 'hub--c--d--main'))).toBe(true);
    await lock.release();
  });

  it('given folders and files of the user, when pulled, then they are used where they are', async () => {
    const { store, folder, hub } = await setUp();
    const write = (name: string) => writeFile(join(folder, name), someBytes(10, name));
    await write('a.gguf');
    expect(await store.pullModel(folder)).toMatchObject({ kind: 'gguf', ggufPath: join(folder, 'a.gguf'), bytes: 10 });
    await write('b.gguf');
    await expect(store.pullModel(folder)).rejects.toThrow('has several .gguf files, name one of them: a.gguf, b.gguf');
    const file = await store.pullModel(join(folder, 'b.gguf'));
    expect(file).toMatchObject({ kind: 'gguf', id: join(folder, 'b.gguf'), origin: 'file' });
    await write('model.safetensors');
    await write('config.json');
    const before = await store.pullModel(folder);
    expect(before).toMatchObject({ kind: 'hf-folder', folder });
    await writeFile(join(folder, 'config.json'), 'changed');
    expect((await store.pullModel(folder)).contentKey).not.toBe(before.contentKey);
    expect(hub.requests).toHaveLength(0);
  });

  it.each([
    ['./does-not-exist', /there is no such file or folder/],
    ['/dev', /neither config\.json with safetensors nor a \.gguf file/],
    ['/etc/hosts', /neither a folder nor a \.gguf file/],
  ])('given the path %s, when pulled, then the error says what is wrong', async (path, message) => {
    const { store } = await setUp();
    await expect(store.pullModel(path)).rejects.toThrow(message);
  });

  it('given a model that cannot be used, when pulled, then no other source is tried', async () => {
    const { hub } = await startHub({ files: { 'pytorch_model.bin': someBytes(10) } });
    const store = new ModelStore({ folder: await tempFolder(), hubEndpoint: hub.url, environment: {} });
    await expect(store.pullModel('org/small')).rejects.toThrow(UnsupportedModelError);
  });
});
