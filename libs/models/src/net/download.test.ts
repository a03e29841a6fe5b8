import { existsSync } from 'node:fs';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutAfter, etagOf, sendFile, sha256, someBytes, TestServer } from '../../testing/file-server.js';
import { tempFolder } from '../../testing/temp-folder.js';
import { SourceError } from '../errors.js';
import { Downloader, type FileDownload, type TransferListener } from './download.js';
import { HttpClient } from './http-client.js';
import type { RetryPolicy } from './retry.js';

const POLICY: RetryPolicy = {
  attempts: 3,
  attemptsWithoutNetwork: 2,
  firstDelayMs: 1,
  maxDelayMs: 5,
  maxRetryAfterMs: 3_000,
};
const CONTENT = someBytes(1_000_000);

interface Setup {
  readonly server: TestServer;
  readonly file: FileDownload;
  readonly downloader: Downloader;
}

async function setUp(content = CONTENT, stallTimeoutMs = 5_000): Promise<Setup> {
  const server = await TestServer.start((request, response) => sendFile(request, response, content));
  const digest = { algorithm: 'sha256', hex: sha256(content) } as const;
  const destination = join(await tempFolder(), 'weights.bin');
  const file = { url: new URL(`${server.url}/weights.bin`), destination, bytes: content.length, digest };
  return { server, file, downloader: new Downloader(new HttpClient({ stallTimeoutMs }), POLICY) };
}

/** Breaks the first answer after some bytes. */
function cutFirst({ server }: Setup, bytes: number, etag?: string): void {
  server.interfere = (_request, response) => {
    if (server.requests.length > 1) return false;
    cutAfter(response, CONTENT, bytes, etag);
    return true;
  };
}

async function holdsContent(path: string): Promise<boolean> {
  return (await readFile(path)).equals(CONTENT);
}

async function failureOf(work: Promise<unknown>): Promise<SourceError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof SourceError) return error;
  throw new Error('it did not fail as a source', { cause: error });
}

describe('Downloader', () => {
  it('given a file, when downloaded, then it is there whole, under its name only, and is not asked for again', async () => {
    const { server, file, downloader } = await setUp();
    expect(await downloader.download(file)).toEqual({ bytes: CONTENT.length, sha256: sha256(CONTENT) });
    expect(await holdsContent(file.destination)).toBe(true);
    expect(existsSync(`${file.destination}.part`) || existsSync(`${file.destination}.part.json`)).toBe(false);
    await downloader.download(file);
    expect(server.requests).toHaveLength(1);
  });

  it('given a connection cut at half, when it goes on, then only the rest is asked for, on condition of the same etag', async () => {
    const setup = await setUp();
    cutFirst(setup, CONTENT.length / 2, etagOf(CONTENT));
    await setup.downloader.download(setup.file);
    const [, second, third] = setup.server.requests;
    expect(third).toBeUndefined();
    expect(second?.headers['if-range']).toBe(etagOf(CONTENT));
    // The last bytes before a cut may be lost with it.
    const [, start] = /^bytes=(\d+)-$/.exec(second?.headers.range ?? '') ?? [];
    expect(Number(start)).toBeGreaterThan(0);
    expect(Number(start)).toBeLessThanOrEqual(CONTENT.length / 2);
    expect(await holdsContent(setup.file.destination)).toBe(true);
  });

  it('given another content after the cut, when it goes on, then the first half is thrown away', async () => {
    const setup = await setUp();
    cutFirst(setup, 400_000, '"older"');
    const { digest: _, ...withoutDigest } = setup.file;
    await setup.downloader.download(withoutDigest);
    expect(setup.server.requests[1]?.headers['if-range']).toBe('"older"');
    expect(await holdsContent(setup.file.destination)).toBe(true);
  });

  it('given neither etag nor digest, when the connection was cut, then nothing is resumed', async () => {
    const setup = await setUp();
    cutFirst(setup, 400_000, 'W/"weak"');
    const { digest: _, ...withoutDigest } = setup.file;
    await setup.downloader.download(withoutDigest);
    expect(setup.server.requests[1]?.headers.range).toBeUndefined();
    expect(await holdsContent(setup.file.destination)).toBe(true);
  });

  it('given any points at which connections are cut, when downloaded, then the content is right and no byte counts twice', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 999_999 }), { maxLength: 2 }), async (cuts) => {
        const server = await TestServer.start((request, response) => sendFile(request, response, CONTENT));
        server.interfere = (request, response) => {
          const cut = cuts[server.requests.length - 1];
          if (cut === undefined) return false;
          const start = Number(/\d+/.exec(request.headers.range ?? '0')?.[0]);
          const contentRange = `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}`;
          response.writeHead(start > 0 ? 206 : 200, start > 0 ? { 'content-range': contentRange } : {});
          response.write(CONTENT.subarray(start, Math.max(start, cut)), () => response.destroy());
          return true;
        };
        let position = 0;
        const listener: TransferListener = {
          positioned: (bytes) => {
            position = bytes;
          },
          received: (bytes) => {
            position += bytes;
          },
          announced: () => undefined,
        };
        const destination = join(await tempFolder(), 'file');
        const digest = { algorithm: 'sha256', hex: sha256(CONTENT) } as const;
        const url = new URL(server.url);
        const downloader = new Downloader(new HttpClient(), POLICY);
        await downloader.download({ url, destination, bytes: CONTENT.length, digest }, { listener });
        expect(await holdsContent(destination)).toBe(true);
        expect(position).toBe(CONTENT.length);
      }),
      { numRuns: 25 },
    );
  });

  it('given a part of an earlier process, when downloaded, then it is continued', async () => {
    const { server, file, downloader } = await setUp();
    await writeFile(`${file.destination}.part`, CONTENT.subarray(0, 700_000));
    await writeFile(`${file.destination}.part.json`, JSON.stringify({ digest: file.digest }));
    await downloader.download(file);
    expect(server.requests[0]?.headers.range).toBe('bytes=700000-');
    expect(await holdsContent(file.destination)).toBe(true);
  });

  it('given a damaged part, when downloaded, then the wrong sum is noticed and the file begins anew', async () => {
    const { server, file, downloader } = await setUp();
    await writeFile(`${file.destination}.part`, someBytes(700_000, 'damaged'));
    await writeFile(`${file.destination}.part.json`, JSON.stringify({ digest: file.digest }));
    await downloader.download(file);
    expect(server.requests.map(({ headers }) => headers.range)).toEqual(['bytes=700000-', undefined]);
    expect(await holdsContent(file.destination)).toBe(true);
  });

  it('given a part of another content, when downloaded, then it is not continued', async () => {
    const { server, file, downloader } = await setUp();
    await writeFile(`${file.destination}.part`, CONTENT.subarray(0, 700_000));
    await writeFile(`${file.destination}.part.json`, JSON.stringify({ digest: { ...file.digest, hex: '00' } }));
    await downloader.download(file);
    expect(server.requests[0]?.headers.range).toBeUndefined();
  });

  it('given content that is never right, when downloaded, then it fails after two tries and nothing is left to use', async () => {
    const { server, file, downloader } = await setUp();
    server.interfere = (request, response) => {
      sendFile(request, response, someBytes(CONTENT.length, 'wrong'));
      return true;
    };
    const error = await failureOf(downloader.download(file));
    expect(error).toMatchObject({ reason: 'checksum' });
    expect(error.message).toMatch(/^The checksum of weights\.bin from .* is wrong, also after a second download/);
    expect(server.requests).toHaveLength(2);
    expect(existsSync(file.destination)).toBe(false);
    expect(await readFile(`${file.destination}.part`)).toHaveLength(0);
  });

  it('given another size than announced, when downloaded, then it fails before a byte is kept', async () => {
    const { file, downloader } = await setUp();
    const error = await failureOf(downloader.download({ ...file, bytes: 5 }));
    expect(error.message).toMatch(/has 1000000 bytes where 5 were announced\.$/);
  });

  it('given 429 with Retry-After, when it is short, then it is waited for; when long, it is not', async () => {
    const { server, file, downloader } = await setUp();
    let retryAfter = '0';
    server.interfere = (_request, response) => {
      if (server.requests.length > 1 && retryAfter === '0') return false;
      response.writeHead(429, { 'retry-after': retryAfter }).end();
      return true;
    };
    await downloader.download(file);
    retryAfter = '3600';
    const error = await failureOf(downloader.download({ ...file, destination: `${file.destination}.2` }));
    expect(error.message).toMatch(/answers 429, too many requests, and asks to come back in 3600 seconds\.$/);
  });

  it('given a server that only fails, when downloaded, then the attempts end', async () => {
    const { server, file, downloader } = await setUp();
    server.interfere = (_request, response) => {
      response.writeHead(503).end();
      return true;
    };
    const error = await failureOf(downloader.download(file));
    expect(error).toMatchObject({ reason: 'unreachable' });
    expect(error.message).toMatch(/answers 503 \(tried 3 times\)\.$/);
    expect(server.requests).toHaveLength(3);
  });

  it('given a server that falls silent, when the stall timeout passes, then the file goes on where it was', async () => {
    const { server, file, downloader } = await setUp(CONTENT, 100);
    server.interfere = (_request, response) => {
      if (server.requests.length > 1) return false;
      response.writeHead(200, { 'content-length': CONTENT.length }).write(CONTENT.subarray(0, 300_000));
      return true;
    };
    await downloader.download(file);
    expect(server.requests[1]?.headers.range).toBe('bytes=300000-');
    expect(await holdsContent(file.destination)).toBe(true);
  });

  it('given no server, when downloaded, then the error says that the connection was refused', async () => {
    const { server, file, downloader } = await setUp();
    await server.stop();
    const error = await failureOf(downloader.download(file));
    expect(error.message).toMatch(
      /^127\.0\.0\.1:\d+ cannot be reached: the connection was refused \(tried 2 times\)\.$/,
    );
  });

  it('given an abort in the middle, when downloaded again, then it goes on', async () => {
    const { server, file, downloader } = await setUp();
    server.interfere = (_request, response) => {
      if (server.requests.length > 1) return false;
      response.writeHead(200, { 'content-length': CONTENT.length }).write(CONTENT.subarray(0, 300_000));
      return true;
    };
    const abort = new AbortController();
    let receivedBytes = 0;
    const listener: TransferListener = {
      positioned: () => undefined,
      announced: () => undefined,
      received: (bytes) => {
        receivedBytes += bytes;
        if (receivedBytes === 300_000) abort.abort(new Error('Ctrl-C'));
      },
    };
    await expect(downloader.download(file, { signal: abort.signal, listener })).rejects.toThrow('Ctrl-C');
    expect(existsSync(file.destination)).toBe(false);
    await downloader.download(file);
    expect(server.requests[1]?.headers.range).toBe('bytes=300000-');
  });

  // /dev/full takes no byte: a real full disk. Only Linux has it.
  it.runIf(existsSync('/dev/full'))('given a full disk, when downloaded, then ENOSPC comes through', async () => {
    const { file, downloader } = await setUp();
    await symlink('/dev/full', `${file.destination}.part`);
    await expect(downloader.download(file)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(existsSync(file.destination)).toBe(false);
  });
});
