import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface RecordedRequest {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

/** Deals with a request itself and returns true, or leaves it to the server. */
export type Interference = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A real HTTP server on this machine that keeps a list of what it was asked. */
export class TestServer {
  readonly requests: RecordedRequest[] = [];
  /** Asked before anything is answered; set by tests that need a server to misbehave. */
  interfere: Interference = () => false;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  /** Runs until the test ends. */
  static async start(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<TestServer> {
    const server = createServer((request, response) => {
      started.requests.push({ path: request.url ?? '', headers: request.headers });
      if (!started.interfere(request, response)) answer(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const started = new TestServer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => started.stop());
    return started;
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  /** Requests of paths that end so. */
  requestsOf(ending: string): RecordedRequest[] {
    return this.requests.filter(({ path }) => path.endsWith(ending));
  }
}

/** Answers with a file as content servers do: strong etag, ranges, `If-Range`. */
export function sendFile(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const etag = etagOf(content);
  const headers = { etag, 'accept-ranges': 'bytes' };
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const ifRange = request.headers['if-range'];
  if (range === null || (ifRange !== undefined && ifRange !== etag)) {
    response.writeHead(200, { ...headers, 'content-length': content.length }).end(content);
    return;
  }
  const start = Number(range[1]);
  if (start >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const contentRange = `bytes ${start}-${content.length - 1}/${content.length}`;
  response
    .writeHead(206, { ...headers, 'content-length': content.length - start, 'content-range': contentRange })
    .end(content.subarray(start));
}

export function etagOf(content: Buffer): string {
  return `"${createHash('md5').update(content).digest('hex')}"`;
}

/** Sends the first bytes of a whole answer, then breaks the connection. */
export function cutAfter(response: ServerResponse, content: Buffer, bytes: number, etag = '"e"'): void {
  response.writeHead(200, { etag, 'content-length': content.length });
  response.write(content.subarray(0, bytes), () => response.destroy());
}

/** Bytes that look like nothing, the same for the same seed. */
export function someBytes(length: number, seed = 'seed'): Buffer {
  const blocks: Buffer[] = [];
  for (let block = 0; block * 32 < length; block += 1) {
    blocks.push(createHash('sha256').update(`${seed}${block}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
