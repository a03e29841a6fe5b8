import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HttpClient, requestBytes } from './http-client.mjs';

const STREAM =
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n' +
  '9\r\ndata: 1\n\n\r\ne\r\n: keep-alive\n\n\r\n12\r\ndata: 2\n\ndata: 3\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n';

let server;
afterEach(() => server?.close());

/** Answers each request with the pieces, each in a packet of its own. */
async function serverOf(pieces) {
  server = createServer((socket) =>
    socket.setNoDelay(true).on('data', async () => {
      for (const piece of pieces) {
        socket.write(piece, 'latin1');
        await new Promise((resolve) => setImmediate(resolve));
      }
    }),
  ).listen(0);
  await once(server, 'listening');
  return server.address().port;
}

const request = requestBytes({ path: '/', body: '{}' });

describe('HttpClient', () => {
  it('given a stream with a comment that is cut anywhere, then its events are counted and its end is seen', async () => {
    for (let at = 1; at < STREAM.length; at++) {
      const client = new HttpClient(await serverOf([STREAM.slice(0, at), STREAM.slice(at)]));
      expect(await client.send(request), `cut at ${at}`).toMatchObject({ status: 200, events: 3, isWhole: true });
      client.close();
      server.close();
    }
  });

  it('given a stream that fails, then it is not whole', async () => {
    const client = new HttpClient(await serverOf([STREAM.replace('e\r\ndata: [DONE]\n\n\r\n', '')]));
    expect(await client.send(request)).toMatchObject({ status: 200, isWhole: false });
    client.close();
  });

  it('given an answer with a length, then the connection takes the next request', async () => {
    const client = new HttpClient(await serverOf(['HTTP/1.1 429 No\r\ncontent-length: 4\r\n\r\n', '{}\n\n']));
    expect((await client.send(request)).status).toBe(429);
    expect((await client.send(request)).status).toBe(429);
    client.close();
  });

  it('given a connection that breaks, then the request fails', async () => {
    server = createServer((socket) => socket.destroy()).listen(0);
    await once(server, 'listening');
    await expect(new HttpClient(server.address().port).send(request)).rejects.toThrow();
  });
});
