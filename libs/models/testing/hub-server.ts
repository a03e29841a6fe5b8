import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendFile, sha256, someBytes, TestServer } from './file-server.js';

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

export interface HubFixture {
  /** The API and small files. */
  readonly hub: TestServer;
  /** Where large files are redirected to, with another origin. */
  readonly contents: TestServer;
  readonly files: ReadonlyMap<string, Buffer>;
}

export interface HubFixtureOptions {
  readonly repo?: string;
  readonly files?: Readonly<Record<string, Buffer>>;
  /** Token without which the repository is refused as gated. */
  readonly token?: string;
}

/** What a small llama repository has, and things beside it that nobody needs. */
export const SMALL_REPOSITORY: Readonly<Record<string, Buffer>> = {
  'README.md': Buffer.from('# A model'),
  'config.json': Buffer.from('{"model_type":"llama"}'),
  'generation_config.json': Buffer.from('{"eos_token_id":2}'),
  'tokenizer.json': Buffer.from('{"version":"1.0"}'),
  'tokenizer_config.json': Buffer.from('{}'),
  'model.safetensors': someBytes(3_000_000),
  'pytorch_model.bin': someBytes(1000, 'other'),
};

/** A hub of one repository: info, paged tree, `resolve` with redirects to another origin for large files. */
export async function startHub(options: HubFixtureOptions = {}): Promise<HubFixture> {
  const { repo = 'org/small', token } = options;
  const files = new Map(Object.entries(options.files ?? SMALL_REPOSITORY));
  const contents = await TestServer.start((request, response) => {
    const file = files.get(decodeURIComponent((request.url ?? '').replace(/^\/blob\/|\?.*$/g, '')));
    if (file === undefined) response.writeHead(404).end();
    else sendFile(request, response, file);
  });
  const hub = await TestServer.start((request, response) => {
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      response
        .writeHead(request.headers.authorization === undefined ? 401 : 403, { 'x-error-code': 'GatedRepo' })
        .end();
      return;
    }
    const path = decodeURIComponent(request.url ?? '');
    if (!answer(path, request, response)) {
      response.writeHead(404, { 'x-error-code': path.includes(repo) ? 'EntryNotFound' : 'RepoNotFound' }).end();
    }
  });

  function answer(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const [, revision] = new RegExp(`^/api/models/${repo}/revision/(.+)$`).exec(path) ?? [];
    if (revision !== undefined) {
      if (revision === 'main' || revision === 'v1.0' || revision === COMMIT) sendJson(response, { sha: COMMIT });
      else response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end();
      return true;
    }
    if (path.startsWith(`/api/models/${repo}/tree/${COMMIT}`)) {
      const entries = [...files].map(([name, content]) => treeEntry(name, content));
      const isSecondPage = path.includes('cursor=2');
      const link = `<${hub.url}/api/models/${repo}/tree/${COMMIT}?cursor=2>; rel="next"`;
      sendJson(response, isSecondPage ? entries.slice(2) : entries.slice(0, 2), isSecondPage ? {} : { link });
      return true;
    }
    const name = path.startsWith(`/${repo}/resolve/${COMMIT}/`) ? path.slice(`/${repo}/resolve/${COMMIT}/`.length) : '';
    const content = files.get(name);
    if (content === undefined) return false;
    if (isLarge(name)) {
      const location = `${contents.url}/blob/${encodeURIComponent(name)}?signature=secret`;
      response.writeHead(302, { location, 'x-linked-etag': `"${sha256(content)}"` }).end();
    } else sendFile(request, response, content);
    return true;
  }
  return { hub, contents, files };
}

function isLarge(name: string): boolean {
  return /\.(safetensors|gguf|bin)$/.test(name);
}

function treeEntry(path: string, content: Buffer): object {
  const oid = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  const lfs = isLarge(path) ? { lfs: { oid: sha256(content), size: content.length } } : {};
  return { type: 'file', path, size: content.length, oid, ...lfs };
}

function sendJson(response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}
