import { type AddressInfo, connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hydraSchema } from '#lib/config';
import type { ErrorBody } from '#lib/openai';
import { openStream, post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';
import { createHttpAdapter } from './http-adapter.js';

let platform: TestPlatform;
let completions: string;
beforeAll(async () => {
  platform = await startTestPlatform();
  completions = `${platform.url}/v1/completions`;
});
afterAll(() => platform.stop());

interface Refusal {
  readonly status: number;
  readonly error: ErrorBody['error'];
}

async function refusal(response: Response): Promise<Refusal> {
  const { error } = (await response.json()) as ErrorBody;
  return { status: response.status, error };
}

const good = { model: 'default', prompt: 'hello', max_tokens: 2 };

describe('bad bodies', () => {
  const cases: readonly (readonly [string, unknown, number, string, string | null])[] = [
    ['malformed JSON', '{"model": ', 400, 'invalid_json', null],
    ['an empty body', '', 400, 'invalid_json', null],
    ['an array', '[]', 400, 'invalid_json', null],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, 'invalid_json', null],
    ['100,000 nested arrays', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 400, 'too_deep', null],
    ['a wrong type', { ...good, max_tokens: 'many' }, 400, 'invalid_type', 'max_tokens'],
    ['no model', { prompt: 'x' }, 400, 'missing_required_parameter', 'model'],
    ['an unknown model', { ...good, model: 'nobody/none' }, 404, 'model_not_found', 'model'],
    ['a model named like a property of objects', { ...good, model: '__proto__' }, 404, 'model_not_found', 'model'],
    ['an empty prompt', { ...good, prompt: '' }, 400, 'invalid_value', 'prompt'],
    ['a prompt over the context', { ...good, prompt: 'x'.repeat(600) }, 400, 'context_length_exceeded', 'prompt'],
    ['max_tokens 0', { ...good, max_tokens: 0 }, 400, 'invalid_value', 'max_tokens'],
    ['a negative temperature', { ...good, temperature: -1 }, 400, 'invalid_value', 'temperature'],
    ['10,000 stop strings', { ...good, stop: Array(10_000).fill('x') }, 400, 'invalid_value', 'stop'],
    ['what the model refuses', { ...good, logit_bias: { 5: 1 } }, 400, 'unsupported_parameter', 'logit_bias'],
    ['token ids outside the vocabulary', { ...good, prompt: [1, 70_000] }, 400, 'invalid_value', 'prompt[1]'],
  ];
  it.each(cases)('given %s, then the error names what is wrong', async (_name, body, status, code, param) => {
    const answer = await refusal(await post(completions, body));
    expect(answer).toMatchObject({ status, error: { code, param, type: 'invalid_request_error' } });
    expect(answer.error.message.length).toBeGreaterThan(10);
  });

  it('given huge numbers, then the parameter is named', async () => {
    const answer = await refusal(await post(completions, '{"model":"default","prompt":"x","max_tokens":1e400}'));
    expect(answer).toMatchObject({ status: 400, error: { param: 'max_tokens' } });
  });

  it('given unknown fields, then they are accepted and counted', async () => {
    expect((await post(completions, { ...good, surprise: 1, another: {} })).status).toBe(200);
    const metrics = await (await fetch(`${platform.url}/metrics`)).text();
    expect(metrics).toMatch(/hydra_gateway_unknown_fields_total\{route="\/v1\/completions"\} [2-9]/);
  });
});

describe('bad requests', () => {
  it('given a wrong path, method, content type or encoding, then the error has the one shape', async () => {
    const wrongPath = await fetch(`${platform.url}/v1/nothing`);
    expect(await refusal(wrongPath)).toMatchObject({ status: 404, error: { code: 'route_not_found' } });
    const wrongMethod = await fetch(completions);
    expect(wrongMethod.headers.get('allow')).toBe('POST');
    expect(await refusal(wrongMethod)).toMatchObject({ status: 405, error: { code: 'method_not_allowed' } });
    const form = await post(completions, 'model=default', { 'content-type': 'application/x-www-form-urlencoded' });
    expect(await refusal(form)).toMatchObject({ status: 415, error: { code: 'unsupported_media_type' } });
    const zipped = await post(completions, gzipSync(JSON.stringify(good)), { 'content-encoding': 'gzip' });
    expect(await refusal(zipped)).toMatchObject({ status: 415, error: { code: 'unsupported_media_type' } });
  });

  it('given a path out of the documents, or a method that the framework refuses, then the answer is ours', async () => {
    const outside = await rawRequest(
      'GET /docs/%2e%2e/%2e%2e/package.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expect(outside).toMatch(/^HTTP\/1.1 404 [\s\S]*"code":"route_not_found"/);
    const query = await rawRequest('QUERY /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(query).toMatch(/^HTTP\/1.1 405 [\s\S]*allow: POST\r\n[\s\S]*"code":"method_not_allowed"/);
  });

  it('given a 50 MB body, then it is refused by its announced length, and a running stream goes on', async () => {
    platform.worker.onSubmit = () => {};
    const { response } = openStream(completions, { ...good, max_tokens: 3, stream: true });
    const running = await platform.worker.generation(platform.worker.generations.length);
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    running.token();
    const incoming = await response;
    const huge = await rawRequest(
      `POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${50 * 2 ** 20}\r\n\r\n{"`,
    );
    expect(huge).toMatch(/^HTTP\/1.1 413 /);
    expect(huge).toContain('"code":"request_too_large"');
    running.token();
    void running.runToEnd();
    let text = '';
    for await (const chunk of incoming) text += chunk;
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it('given a chunked body without end, then it is refused at the limit, not collected', async () => {
    const socket = connect(platform.httpPort, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      'POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    let answer = '';
    socket.on('data', (data) => {
      answer += data;
    });
    const sent = await new Promise<number>((resolve) => {
      let count = 0;
      const send = () => {
        if (answer !== '' || socket.destroyed) return resolve(count);
        count++;
        socket.write(chunk, () => setImmediate(send));
        return undefined;
      };
      send();
    });
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(sent).toBeLessThan(800);
  });
});

describe('what is not HTTP', () => {
  it('given half a head, half a body or nothing at all, then the connection is closed in time', async () => {
    const receiveTimeoutMs = 2_000; // a whole half must have arrived by then on a busy machine
    const server = createHttpAdapter(hydraSchema.parse({ gateway: { receiveTimeoutMs } })).getInstance();
    server.post('/v1/completions', (_request, reply) => reply.send());
    await server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.server.address() as AddressInfo;
    const head =
      'POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n';
    const halves = ['', 'POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Ty', `${head}{"model"`];
    for (const answer of await Promise.all(halves.map((half) => rawRequest(half, port)))) {
      expect(answer).toMatch(/^HTTP\/1.1 408 /);
      expect(answer).toContain('"code":"request_timeout"');
    }
    await server.close();
  });

  it('given garbage or an over-long head, then the answer has the one shape and the connection is closed', async () => {
    expect(await rawRequest('\x16\x03\x01\x02\x00\x01\x00\r\n\r\n')).toContain('"code":"bad_request"');
    expect(await rawRequest('GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toContain(
      '"code":"bad_request"',
    );
    const long = await rawRequest(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(long).toMatch(/^HTTP\/1.1 431 /);
    expect(long).toContain('"code":"request_head_too_large"');
  });

  it('given both Content-Length and Transfer-Encoding, or two lengths, then nothing is smuggled', async () => {
    const smuggled = 'GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n';
    const head = 'POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
    for (const framing of [
      `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      `Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
      `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
      `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    ]) {
      const answer = await rawRequest(head + framing);
      expect(answer, framing).toMatch(/^HTTP\/1.1 400 /);
      expect(answer.match(/HTTP\/1.1/g), framing).toHaveLength(1);
    }
  });

  it('given a header that would split the answer, then it does not come back', async () => {
    const response = await post(completions, good, { 'x-request-id': `${'a'.repeat(500)}` });
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
    await response.arrayBuffer();
  });
});

/** Sends bytes and reads until the server closes the connection or has given a whole answer of 413. */
function rawRequest(text: string, port = platform.httpPort): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
    socket.on('data', (data) => {
      answer += data;
      if (answer.startsWith('HTTP/1.1 413') && answer.includes('}}')) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}
