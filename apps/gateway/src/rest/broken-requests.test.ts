import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FakeGeneration } from '../test-support/fake-worker.js';
import { RawClient } from '../test-support/raw-client.js';
import { startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

const LINE = 'POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const body = (more: object) => JSON.stringify({ model: 'default', prompt: 'hello', max_tokens: 3, ...more });
const request = (text: string, headers = '') => `${LINE}Content-Length: ${text.length}\r\n${headers}\r\n${text}`;
const STREAMED = request(body({ stream: true }));
const WHOLE = request(body({}));
const GARBAGE = '\0garbage\r\n\r\n';

let platform: TestPlatform;
let client: RawClient;
/** Of a client that has nothing to do with it: its stream goes on while others break. */
let bystander: { readonly client: RawClient; readonly generation: FakeGeneration };

beforeAll(async () => {
  // Bodies have so long to arrive; a whole request must have done so on a busy machine.
  platform = await startTestPlatform({ gateway: { receiveTimeoutMs: 2_000 } });
  bystander = await stream(request(body({ stream: true, max_tokens: 500 })));
});
beforeEach(() => {
  platform.worker.onSubmit = () => {};
  client = new RawClient(platform.httpPort);
});
afterEach(async () => {
  const { generation } = bystander;
  const token = ` w${generation.sent}`;
  generation.token();
  await bystander.client.has(`"text":"${token}"`);
  expect(bystander.client.hasClosed).toBe(false);
  client.halfClose();
});
afterAll(async () => {
  bystander.client.halfClose();
  await platform.stop();
});

/** Sends a request whose stream begins with one token. */
async function stream(bytes: string, by = new RawClient(platform.httpPort)) {
  const { worker } = platform;
  const index = worker.generations.length;
  worker.onSubmit = (generation) => generation.token();
  by.send(bytes);
  await by.has('" w0"');
  return { client: by, generation: await worker.generation(index) };
}

describe('a client that says that it will send nothing more', () => {
  // The end of one half is all that is ever seen of a client that died: it cannot be told from one that waits.
  it('in the middle of its stream, then it has left: the worker is told and the connection closed', async () => {
    const { generation } = await stream(STREAMED, client);
    client.halfClose();
    expect(await platform.worker.cancelled(generation)).toBe('client-gone');
    expect(await client.closed()).not.toContain('[DONE]');
  });

  it('before the first token, then the same', async () => {
    const index = platform.worker.generations.length;
    client.send(WHOLE);
    const generation = await platform.worker.generation(index);
    client.halfClose();
    expect(await platform.worker.cancelled(generation)).toBe('client-gone');
    expect(await client.closed()).toBe('');
  });

  it('in the middle of its body, then the answer is 400', async () => {
    client.send(WHOLE.slice(0, -5));
    client.halfClose();
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"bad_request"/);
  });
});

describe('bytes behind a good request that are no request', () => {
  it('given an answer that has not begun, then 400 takes its place and the worker is told', async () => {
    const index = platform.worker.generations.length;
    client.send(WHOLE);
    const generation = await platform.worker.generation(index);
    client.send(GARBAGE);
    const answer = await client.closed();
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*\r\nconnection: close\r\n[\s\S]*"code":"bad_request"/);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(await platform.worker.cancelled(generation)).toBe('client-gone');
  });

  it('given a stream that has, then nothing is written into it, the connection is closed and the worker told', async () => {
    const { generation } = await stream(STREAMED, client);
    client.send(GARBAGE);
    const answer = await client.closed();
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).not.toMatch(/bad_request|\[DONE\]/);
    expect(await platform.worker.cancelled(generation)).toBe('client-gone');
  });

  it('given an answer that is complete, then 400 follows it', async () => {
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    client.send(WHOLE);
    await client.has('"usage"');
    client.send(GARBAGE);
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 400 [\s\S]*"code":"bad_request"/);
  });
});

describe('expectations', () => {
  beforeEach(() => {
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
  });

  it('given 100-continue, then it is said before the body comes', async () => {
    const [head, text] = [`Expect: 100-continue\r\nConnection: close\r\n`, body({})];
    client.send(request(text, head).slice(0, -text.length));
    await client.has('HTTP/1.1 100 Continue\r\n\r\n');
    client.send(text);
    expect(await client.closed()).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  it.each([
    ['a body that is too large', request('', '').replace('Content-Length: 0', 'Content-Length: 99999999'), 413],
    ['a body of another type', request('{}').replace('application/json', 'text/plain'), 415],
  ])(
    'given 100-continue and %s, then the body is not asked for, and the connection is closed',
    async (_, bytes, status) => {
      const [head = ''] = bytes.split('\r\n\r\n');
      client.send(`${head}\r\nExpect: 100-continue\r\n\r\n`);
      const answer = await client.closed();
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(answer).toMatch(/\r\nconnection: close\r\n/i);
      expect(answer).toContain('{"error":{');
    },
  );

  it('given another, then the answer is 417 and the connection is closed, whatever stands behind it', async () => {
    client.send(request(body({}), 'Expect: a-miracle\r\n') + WHOLE);
    const answer = await client.closed();
    expect(answer).toMatch(/^HTTP\/1\.1 417 [\s\S]*"code":"expectation_failed"/);
    expect(answer).toContain("Expect 'a-miracle' is not supported");
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});

describe('bodies that are too large', () => {
  it.each([
    ['a length', `Content-Length: ${128 * 65_536}`, 'x'.repeat(65_536)],
    ['chunks', 'Transfer-Encoding: chunked', `10000\r\n${'x'.repeat(65_536)}\r\n`],
  ])(
    'given one with %s, when its client sends all of it first, then it can read why it was refused',
    async (_, header, part) => {
      const socket = connect(platform.httpPort, '127.0.0.1');
      const failures: unknown[] = [];
      socket.on('error', (error) => failures.push(error));
      socket.write(`${LINE}${header}\r\n\r\n`);
      for (let i = 0; i < 128; i++) await new Promise((resolve) => socket.write(part, resolve));
      expect(failures).toEqual([]);
      const [answer] = await once(socket, 'data');
      expect(String(answer)).toMatch(/^HTTP\/1\.1 413 [\s\S]*"code":"request_too_large"/);
      socket.destroy();
    },
  );

  /** A client that never closes its half sends this; resolves when the gateway has closed the connection. */
  async function answerToOneThatStays(head: string, sendOn: (socket: Socket) => void): Promise<string> {
    const atGateway = new Promise<Socket>((resolve) => {
      const note = (message: unknown) => {
        unsubscribe('http.server.request.start', note);
        resolve((message as { socket: Socket }).socket);
      };
      subscribe('http.server.request.start', note);
    });
    const socket = connect({ port: platform.httpPort, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('error', () => {}); // the reset of a connection that is closed
    socket.write(head);
    sendOn(socket);
    const served = await atGateway;
    if (!served.closed) await once(served, 'close');
    socket.destroy();
    return text;
  }

  it('given one without end, then the connection ends when a body must have come', async () => {
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    let sending: NodeJS.Timeout | undefined;
    const answer = await answerToOneThatStays(`${LINE}Transfer-Encoding: chunked\r\n\r\n`, (socket) => {
      sending = setInterval(() => socket.write(chunk), 5);
    }).finally(() => clearInterval(sending));
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('given one that comes to its end, then the connection ends with it, and what stands behind is not computed', async () => {
    const { length: before } = platform.worker.generations;
    const large = 'x'.repeat(128 * 65_536);
    const answer = await answerToOneThatStays(`${LINE}Content-Length: ${large.length}\r\n\r\n`, (socket) => {
      socket.write(large + WHOLE);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(platform.worker.generations).toHaveLength(before);
  });
});

describe('requests that are wrong as HTTP', () => {
  const chunked = `${LINE}Transfer-Encoding: chunked\r\n\r\n`;
  it.each([
    ['a first chunk without a size', `${chunked}zz\r\n{}\r\n`, 400, 'bad_request'],
    ['a later chunk without a size', `${chunked}2\r\n{"\r\nzz\r\n`, 400, 'bad_request'],
    ['a chunk longer than its size', `${chunked}2\r\n{"more"\r\n`, 400, 'bad_request'],
    [
      'trailers that are too large',
      `${chunked}2\r\n{}\r\n0\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'request_head_too_large',
    ],
    ['headers that are too large', `${LINE}X: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'request_head_too_large'],
    ['two lengths', `${LINE}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400, 'bad_request'],
    ['a negative length', `${LINE}Content-Length: -1\r\n\r\n`, 400, 'bad_request'],
    ['a length beyond all numbers', `${LINE}Content-Length: ${'9'.repeat(40)}\r\n\r\n`, 400, 'bad_request'],
    ['a header that goes on in the next line', `${LINE}X: a\r\n b\r\n\r\n`, 400, 'bad_request'],
    ['two hosts', request(body({}), 'Host: y\r\nConnection: close\r\n'), 400, 'bad_request'],
    [
      'another content type',
      request('a=b', 'Connection: close\r\n').replace('json', 'xml'),
      415,
      'unsupported_media_type',
    ],
    ['a wish for a tunnel', 'CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n', 405, 'method_not_allowed'],
  ])('given %s, then the answer has the one shape and the connection is closed', async (_name, bytes, status, code) => {
    client.send(bytes);
    const answer = await client.closed();
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const { error } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
    expect(error).toEqual({ message: expect.any(String), type: 'invalid_request_error', param: null, code });
  });

  it('given a body that comes byte by byte, then its time is over as if nothing came', async () => {
    client.send(WHOLE.slice(0, -body({}).length));
    const trickle = setInterval(() => client.send(' '), 50);
    const answer = await client.closed();
    clearInterval(trickle);
    expect(answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/);
  });
});
