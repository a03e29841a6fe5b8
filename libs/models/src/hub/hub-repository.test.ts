import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sendFile, someBytes } from '../../testing/file-server.js';
import {
  COMMIT,
  type HubFixture,
  type HubFixtureOptions,
  SMALL_REPOSITORY,
  startHub,
} from '../../testing/hub-server.js';
import { PullProcess } from '../../testing/pull-process.js';
import { tempFolder } from '../../testing/temp-folder.js';
import { ModelStore, type ModelStoreOptions } from '../model-store.js';
import type { PullProgress } from '../net/progress-meter.js';

const POLICY = { attempts: 3, attemptsWithoutNetwork: 2, firstDelayMs: 1, maxDelayMs: 5, maxRetryAfterMs: 1_000 };
const NEEDED = [
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'tokenizer.json',
  'tokenizer_config.json',
];

interface Setup extends HubFixture {
  readonly options: ModelStoreOptions;
  readonly store: ModelStore;
  readonly downloads: string;
}

async function setUp(fixture: HubFixtureOptions = {}, hubToken?: string): Promise<Setup> {
  const started = await startHub(fixture);
  const folder = await tempFolder();
  const options = { folder, hubEndpoint: started.hub.url, hubToken, environment: {}, retryPolicy: POLICY };
  return { ...started, options, store: new ModelStore(options), downloads: join(folder, 'models') };
}

describe('a model of a hub', () => {
  it('given a repository, when pulled, then what is needed is there, of one commit, and nothing else', async () => {
    const { store, files, hub, contents } = await setUp();
    const model = await store.pullModel('org/small');
    expect(model).toMatchObject({ kind: 'hf-folder', id: 'org/small', origin: 'hub org/small' });
    const folder = model.kind === 'hf-folder' ? model.folder : '';
    expect((await readdir(folder)).sort()).toEqual([...NEEDED, 'hydra-model.json'].sort());
    for (const name of NEEDED) expect((await readFile(join(folder, name))).equals(files.get(name)!)).toBe(true);
    expect(
      hub.requests.filter(({ path }) => path.includes('/resolve/')).every(({ path }) => path.includes(COMMIT)),
    ).toBe(true);
    expect(contents.requests).toHaveLength(1);
  });

  it('given a pulled model, when pulled again, then nobody is asked, also when there is no network', async () => {
    const { store, hub, contents } = await setUp();
    const first = await store.pullModel('org/small');
    const count = hub.requests.length;
    await hub.stop();
    await contents.stop();
    expect(await store.pullModel('org/small')).toEqual(first);
    expect(hub.requests).toHaveLength(count);
  });

  it('given a token, when files are redirected to another host, then the token stays at the hub', async () => {
    const { store, hub, contents } = await setUp({ token: 'hf_secret' }, 'hf_secret');
    await store.pullModel('org/small');
    expect(hub.requests.every(({ headers }) => headers.authorization === 'Bearer hf_secret')).toBe(true);
    expect(contents.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  it('given a revision, when pulled, then it is a model of its own beside main', async () => {
    const { store, hub, downloads } = await setUp();
    expect((await store.pullModel('org/small@v1.0')).id).toBe('org/small@v1.0');
    await store.pullModel('org/small');
    expect(hub.requestsOf('/revision/v1.0')).toHaveLength(1);
    expect((await readdir(downloads)).filter((name) => !name.startsWith('.')).sort()).toEqual([
      'hub--org--small--main',
      'hub--org--small--v1.0',
    ]);
  });

  it.each([
    ['no token, gated', 'org/small', undefined, /is gated: accept its terms at .*\/org\/small and set HF_TOKEN/],
    [
      'a wrong token',
      'org/small',
      'hf_other',
      /is gated: accept its terms at .* with the account that HF_TOKEN belongs to/,
    ],
  ])('given %s, when pulled, then the error says what to do and shows no token', async (_, name, token, message) => {
    const { store } = await setUp({ token: 'hf_secret' }, token);
    const error = await store.pullModel(name).then(String, String);
    expect(error).toMatch(message);
    expect(error).not.toContain('hf_');
  });

  it.each([
    ['org/other', /has no org\/other at revision main/],
    ['org/small@v9', /org\/small has no revision v9/],
  ])('given %s, which does not exist, when pulled, then the error says so', async (name, message) => {
    const { store } = await setUp();
    await expect(store.pullModel(name)).rejects.toThrow(message);
  });

  it('given 429 with Retry-After, when pulled, then it is waited for', async () => {
    const { store, hub } = await setUp();
    hub.interfere = (_request, response) => {
      if (hub.requests.length > 1) return false;
      response.writeHead(429, { 'retry-after': '0' }).end();
      return true;
    };
    await store.pullModel('org/small');
  });

  it('given a connection cut at half, when pulled, then the rest is fetched', async () => {
    const { store, contents, files } = await setUp();
    const weights = files.get('model.safetensors')!;
    contents.interfere = (request, response) => {
      if (contents.requests.length > 1) return false;
      response.writeHead(200, { 'content-length': weights.length });
      response.write(weights.subarray(0, weights.length / 2), () => request.socket.destroy());
      return true;
    };
    const model = await store.pullModel('org/small');
    expect(
      (await readFile(join(model.kind === 'hf-folder' ? model.folder : '', 'model.safetensors'))).equals(weights),
    ).toBe(true);
    expect(contents.requests[1]?.headers.range).toMatch(/^bytes=[1-9]/);
  });

  it('given wrong content, when pulled, then it fails, is not used later, and works once the content is right', async () => {
    const { store, contents } = await setUp();
    contents.interfere = (request, response) => {
      sendFile(request, response, someBytes(3_000_000, 'wrong'));
      return true;
    };
    await expect(store.pullModel('org/small')).rejects.toThrow(/The checksum of model\.safetensors from .* is wrong/);
    expect(await store.locateModel('org/small')).toBeUndefined();
    contents.interfere = () => false;
    expect((await store.pullModel('org/small')).kind).toBe('hf-folder');
  });

  it('given a small file with other content than git knows, when pulled, then that is noticed too', async () => {
    const { store, hub } = await setUp();
    hub.interfere = (request, response) => {
      if (!request.url?.endsWith('/tokenizer.json')) return false;
      sendFile(request, response, Buffer.from('{"version":"6.6"}'));
      return true;
    };
    await expect(store.pullModel('org/small')).rejects.toThrow(/The checksum of tokenizer\.json/);
  });

  it('given a file that was removed from the folder, when pulled, then only it is fetched again', async () => {
    const { store, contents, hub } = await setUp();
    const model = await store.pullModel('org/small');
    const path = join(model.kind === 'hf-folder' ? model.folder : '', 'tokenizer.json');
    await writeFile(path, '');
    await store.pullModel('org/small');
    expect(await readFile(path, 'utf8')).toBe('{"version":"1.0"}');
    expect(contents.requests).toHaveLength(1);
    expect(hub.requestsOf('/config.json')).toHaveLength(1);
  });

  it('given two pulls at once, when both end, then the files were fetched once', async () => {
    const { store, options, contents } = await setUp();
    const phases = new Set<string>();
    const onProgress = ({ phase }: PullProgress) => phases.add(phase);
    const pulls = [store, new ModelStore(options)].map((one) => one.pullModel('org/small', { onProgress }));
    const [first, second] = await Promise.all(pulls);
    expect(first).toEqual(second);
    expect(contents.requests).toHaveLength(1);
    expect(phases).toEqual(new Set(['download', 'wait']));
  });

  it('given progress, when pulled, then it grows to the whole and ends there', async () => {
    const { store, files } = await setUp();
    const seen: PullProgress[] = [];
    await store.pullModel('org/small', { onProgress: (progress) => seen.push(progress) });
    const total = NEEDED.reduce((sum, name) => sum + files.get(name)!.length, 0);
    expect(seen.every(({ bytesTotal }) => bytesTotal === total)).toBe(true);
    expect(seen.at(-1)?.bytesDone).toBe(total);
    expect(seen.map(({ bytesDone }) => bytesDone)).toEqual(
      seen.map(({ bytesDone }) => bytesDone).sort((a, b) => a - b),
    );
  });

  it('given files with names that lead out of the folder, when pulled, then they are ignored', async () => {
    const { store, downloads } = await setUp({ files: { ...SMALL_REPOSITORY, '../../evil.json': Buffer.from('x') } });
    await store.pullModel('org/small');
    expect(existsSync(join(downloads, '..', 'evil.json'))).toBe(false);
  });

  it('given a GGUF file named in the id, when pulled, then it is that one', async () => {
    const files = { 'a-Q8_0.gguf': someBytes(1_000), 'a-F16.gguf': someBytes(2_000) };
    const { store } = await setUp({ files });
    await expect(store.pullModel('org/small')).rejects.toThrow(
      'org/small cannot be used: it has several GGUF files; name one as org/small:FILE, one of a-Q8_0.gguf, a-F16.gguf.',
    );
    const model = await store.pullModel('org/small:a-F16.gguf');
    expect(model).toMatchObject({ kind: 'gguf', bytes: 2_000, id: 'org/small:a-F16.gguf' });
  });

  // /dev/full takes no byte: a real full disk. Only Linux has it.
  it.runIf(existsSync('/dev/full'))(
    'given a disk that fills up, when pulled, then the error says so and it works later',
    async () => {
      const { store, downloads } = await setUp();
      const part = join(downloads, 'hub--org--small--main', 'model.safetensors.part');
      await mkdir(dirname(part), { recursive: true });
      await symlink('/dev/full', part);
      await expect(store.pullModel('org/small')).rejects.toThrow(/^The disk of .* is full\. Free some space/);
      expect(await store.locateModel('org/small')).toBeUndefined();
      await rm(part);
      expect((await store.pullModel('org/small')).kind).toBe('hf-folder');
    },
  );

  it('given a process that is killed in the middle, when another pulls, then it takes over and goes on', async () => {
    const { store, options, contents, files } = await setUp();
    const weights = files.get('model.safetensors')!;
    contents.interfere = (_request, response) => {
      if (contents.requests.length > 1) return false;
      response.writeHead(200, { etag: '"e"', 'content-length': weights.length }).write(weights.subarray(0, 2_000_000));
      return true;
    };
    const killed = await PullProcess.start('org/small', options);
    await killed.progress(({ bytesDone }) => bytesDone > 1_000_000);
    await killed.kill();
    const model = await store.pullModel('org/small');
    expect(
      (await readFile(join(model.kind === 'hf-folder' ? model.folder : '', 'model.safetensors'))).equals(weights),
    ).toBe(true);
    expect(contents.requests[1]?.headers.range).toMatch(/^bytes=[1-9]\d{5,}-$/);
  });

  it('given a process that downloads, when another pulls the same, then it waits and finds the model', async () => {
    const { store, options, contents, files } = await setUp();
    const weights = files.get('model.safetensors')!;
    let sendRest = () => undefined as unknown;
    contents.interfere = (_request, response) => {
      response.writeHead(200, { 'content-length': weights.length }).write(weights.subarray(0, 2_000_000));
      sendRest = () => response.end(weights.subarray(2_000_000));
      return true;
    };
    const other = await PullProcess.start('org/small', options);
    await other.progress(({ bytesDone }) => bytesDone > 1_000_000);
    const mine = store.pullModel('org/small', { onProgress: ({ phase }) => phase === 'wait' && sendRest() });
    expect(await mine).toEqual(await other.result());
    expect(contents.requests).toHaveLength(1);
  });
});
