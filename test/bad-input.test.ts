import { connect } from 'node:net';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publicApi } from '#lib/contracts';
import { metricsOf } from './support/app-metrics.js';
import { type BadBody, CHAT_BODIES, COMPLETION_BODIES, completion, large } from './support/bad-bodies.js';
import { eventually } from './support/eventually.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';
import { postBytes, rawExchange } from './support/raw-http.js';
import { streamOutcome } from './support/stream-outcome.js';

const COMPLETIONS = '/v1/completions';
const CHAT = '/v1/chat/completions';
const MEBIBYTE = 2 ** 20;

let platform: RunningPlatform;
/** Streams that run one after another, from before the first case until after the last. */
let background: { stop(): Promise<number> };

beforeAll(async () => {
  platform = await startPlatform({
    env: { HYDRA_ENGINE: 'mock', HYDRA_MOCK_TTFT_MS: '1', HYDRA_MOCK_ITL_MS: '5' },
  });
  background = streamAllAlong();
});
afterAll(async () => {
  try {
    expect(await background.stop()).toBeGreaterThan(0); // throws when one of them was disturbed
    expect((await fetch(`${platform.url}/health/ready`)).status).toBe(200);
  } finally {
    await platform?.stop();
  }
});

function streamAllAlong() {
  const maxTokens = 200;
  let isStopping = false;
  const streams = (async () => {
    for (let count = 1; ; count++) {
      const outcome = await streamOutcome(platform.url, { maxTokens });
      expect(outcome).toEqual({ status: 200, events: maxTokens, error: undefined, isDone: true, isCut: false });
      if (isStopping) return count;
    }
  })();
  streams.catch(() => {}); // seen by `stop`
  return {
    stop: () => {
      isStopping = true;
      return streams;
    },
  };
}

function outcomeOf(httpStatus: number, code: string | undefined, param: string | null | undefined): string {
  return code === undefined ? String(httpStatus) : `${httpStatus} ${code}${param ? ` of ${param}` : ''}`;
}

describe.each([
  [COMPLETIONS, COMPLETION_BODIES],
  [CHAT, CHAT_BODIES],
])('POST %s', (path, cases) => {
  for (const [name, body, status, code, param] of cases) {
    it(`given ${name}, then ${outcomeOf(status, code, param)}`, async () => {
      const answer = await rawExchange(platform.url, postBytes(path, body));
      expect(answer).toMatchObject({ status, code, param });
    });
  }
});

describe('requests that are no good as such', () => {
  const json = completion({});
  const post = (headers: Record<string, string>, body: string | Buffer = json) => postBytes(COMPLETIONS, body, headers);
  const chunked = (body: string) =>
    Buffer.concat([
      Buffer.from('POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'),
      Buffer.from(
        `connection: close\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      ),
    ]);
  const get = (target: string) => `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;

  const cases: readonly BadBody[] = [
    ['another content type', post({ 'content-type': 'text/plain' }), 415, 'unsupported_media_type'],
    ['several content types', post({ 'content-type': 'application/json, text/plain' }), 415, 'unsupported_media_type'],
    ['a content encoding', post({ 'content-encoding': 'gzip' }), 415, 'unsupported_media_type'],
    ['a chunked body', chunked(json), 200, undefined],
    ['an unknown path', get('/v1/nothing'), 404, 'route_not_found'],
    ['a wrong method', get(COMPLETIONS), 405, 'method_not_allowed'],
    [
      'a wrong method of a health route',
      'PUT /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      405,
      'method_not_allowed',
    ],
    [
      'a wrong method of the console',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
      405,
      'method_not_allowed',
    ],
    ['an unknown health route', get('/health/nothing'), 404, 'route_not_found'],
    ['an alias with slashes', get('/v1/models/mistralai/Mistral-7B-v0.1'), 200, undefined],
    ['an alias with escaped slashes', get('/v1/models/mistralai%2FMistral-7B-v0.1'), 200, undefined],
    ['a path in place of a model', get('/v1/models/../../etc/passwd'), 404, 'model_not_found'],
    ['a model named like a part of objects', get('/v1/models/__proto__'), 404, 'model_not_found'],
    ['a broken escape', get('/v1/models/%ff'), 400, 'bad_request'],
    ['an expectation that nobody can meet', post({ expect: 'a-miracle' }), 417, 'expectation_failed'],
    ['a wish for a tunnel', 'CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\n\r\n', 405, 'method_not_allowed'],
    ['two hosts', post({ Host: 'y' }), 400, 'bad_request'],
    ['no host', 'GET /v1/models HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'bad_request'],
    ['a method that does not exist', 'GRAB / HTTP/1.1\r\nhost: x\r\n\r\n', 400, 'bad_request'],
    ['two lengths', post({ 'Content-Length': '3' }), 400, 'bad_request'],
    ['a length and chunks', post({ 'transfer-encoding': 'chunked' }), 400, 'bad_request'],
    ['a NUL in a header', post({ 'x-request-id': 'a\0b' }), 400, 'bad_request'],
    ['headers of 100 kB', post({ 'x-large': 'x'.repeat(100_000) }), 431, 'request_head_too_large'],
    ['the first bytes of TLS', Buffer.from('16030102000100', 'hex'), 400, 'bad_request'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'bad_request'],
  ];
  for (const [name, bytes, httpStatus, code] of cases) {
    it(`given ${name}, then ${outcomeOf(httpStatus, code, null)} in the one shape`, async () => {
      expect(await rawExchange(platform.url, bytes)).toMatchObject({ status: httpStatus, code });
    });
  }

  it('given request ids that must not go into a header or a log line, then they are replaced', async () => {
    for (const id of ['a b', 'x'.repeat(300), '\xe9']) {
      const { text } = await rawExchange(platform.url, Buffer.from(post({ 'x-request-id': id }).toString(), 'latin1'));
      expect(/^x-request-id: (.*)\r$/m.exec(text)?.[1]).toMatch(/^[0-9a-f]{32}$/);
    }
  });

  it('given HTTP/1.0, then a stream is not chunked and ends with the connection', async () => {
    const body = completion({ stream: true });
    const { text } = await rawExchange(
      platform.url,
      `POST ${COMPLETIONS} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    expect(text).not.toMatch(/^transfer-encoding/im);
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it('given requests sent without waiting for answers, then the answers come in order', async () => {
    const kept = { connection: 'keep-alive' };
    const bytes = Buffer.concat([post(kept, completion({ stream: true })), post(kept, '{'), post({})]);
    const { text } = await rawExchange(platform.url, bytes);
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])).toEqual(['200', '400', '200']);
  });

  it('given half a request and then silence, then the connection is closed', async () => {
    const whole = post({}).toString();
    const halves = ['', 'P', whole.slice(0, 40), whole.slice(0, -3), chunked(json).toString().slice(0, -30)];
    const answers = await Promise.all(halves.map((half) => rawExchange(platform.url, half)));
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 408, code: 'request_timeout' });
      expect(answer.closedAfterMs).toBeLessThan(20_000); // 10 s, and what a busy machine adds; not the 72 s of an idle one
    }
  });

  it('given 20 bodies of 50 MB at once, then memory stays bounded', async () => {
    const gateway = metricsOf(platform, 'gateway');
    const memoryBefore = await gateway('process_resident_memory_bytes');
    const body = chunked(large(50_000_000));
    const answers = await Promise.all(Array.from({ length: 20 }, () => rawExchange(platform.url, body)));
    // A server that closes before it has read all may reset the connection, and the reset may overtake the answer.
    for (const answer of answers) expect([413, undefined]).toContain(answer.status);
    expect((await gateway('process_resident_memory_bytes')) - memoryBefore).toBeLessThan(256 * MEBIBYTE);
  });

  it('given clients that leave in the middle of their body, then these are no errors of the server', async () => {
    const gateway = metricsOf(platform, 'gateway');
    const before = await gateway('hydra_gateway_requests_total', { code: 'client_closed' });
    await Promise.all(Array.from({ length: 10 }, () => abandoned(post({}).subarray(0, -3))));
    await eventually(async () => {
      const count = await gateway('hydra_gateway_requests_total', { code: 'client_closed' });
      return count === before + 10 || undefined;
    });
    expect(await gateway('hydra_gateway_requests_total', { code: 'internal_error' })).toBe(0);
  });
});

/** A client that leaves when its bytes are sent. */
function abandoned(bytes: Buffer): Promise<void> {
  const socket = connect(Number(new URL(platform.url).port), '127.0.0.1');
  socket.write(bytes, () => socket.destroy());
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

describe('gRPC', () => {
  const options = (about: object) => ({ ...request, options: { maxTokens: 2, ...about } });
  const request = { model: 'default', prompts: [{ value: { $case: 'text' as const, value: 'x' } }] };
  const encoded = (about: object) =>
    publicApi.CompletionRequest.encode(publicApi.CompletionRequest.fromPartial(about)).finish();
  const text = (value: string) => ({ ...request, prompts: [{ value: { $case: 'text' as const, value } }] });
  const ids = (list: number[]) => ({
    ...request,
    prompts: [{ value: { $case: 'tokenIds' as const, value: { ids: list } } }],
  });

  const cases: readonly (readonly [string, Uint8Array, number, string, string?])[] = [
    ['nothing', encoded({}), status.INVALID_ARGUMENT, 'missing_required_parameter', 'model'],
    ['bytes that are no message', Buffer.from('ffffffff', 'hex'), status.INVALID_ARGUMENT, 'bad_request'],
    ['a message that is cut off', encoded(request).subarray(0, -1), status.INVALID_ARGUMENT, 'bad_request'],
    ['nested groups without end', Buffer.alloc(100_000, 0x1b), status.INVALID_ARGUMENT, 'bad_request'],
    ['an unknown model', encoded({ ...request, model: '日本\n😀' }), status.NOT_FOUND, 'model_not_found', 'model'],
    ['no prompts', encoded({ model: 'default' }), status.INVALID_ARGUMENT, 'invalid_value', 'prompt'],
    ['an empty prompt', encoded(text('')), status.INVALID_ARGUMENT, 'invalid_value', 'prompt'],
    [
      'a token id outside the vocabulary',
      encoded(ids([1, 4_294_967_295])),
      status.INVALID_ARGUMENT,
      'invalid_value',
      'prompt[0][1]',
    ],
    [
      'a prompt over the context',
      encoded(text('x'.repeat(10_000))),
      status.INVALID_ARGUMENT,
      'context_length_exceeded',
      'prompt',
    ],
    ['max_tokens 0', encoded(options({ maxTokens: 0 })), status.INVALID_ARGUMENT, 'invalid_value', 'max_tokens'],
    [
      'max_tokens of 32 bits',
      encoded(options({ maxTokens: 4_294_967_295 })),
      status.INVALID_ARGUMENT,
      'invalid_value',
      'max_tokens',
    ],
    [
      'a temperature that is no number',
      encoded(options({ temperature: Number.NaN })),
      status.INVALID_ARGUMENT,
      'invalid_type',
      'temperature',
    ],
    ['a seed above 2^53', seedOf64Bits(), status.INVALID_ARGUMENT, 'invalid_value', 'seed'],
    [
      '10,000 stop strings',
      encoded(options({ stop: Array(10_000).fill('x') })),
      status.INVALID_ARGUMENT,
      'invalid_value',
      'stop',
    ],
    [
      'a deadline that cannot be kept',
      encoded(options({ timeoutMs: 1, maxTokens: 4_000 })),
      status.DEADLINE_EXCEEDED,
      'deadline_exceeded',
    ],
    ['50 MB', encoded(text('x'.repeat(50_000_000))), status.RESOURCE_EXHAUSTED, 'request_too_large'],
  ];

  for (const [name, bytes, code, word, param] of cases) {
    it(`given ${name}, then the status is ${code} and the details say why`, async () => {
      for (const method of ['Complete', 'StreamComplete']) {
        const error = await refusalOf(method, bytes);
        expect(error).toMatchObject({ code });
        expect(error.details.length).toBeGreaterThan(10);
        expect(error.metadata.get('hydra-error-code')[0]).toBe(word);
        expect(error.metadata.get('hydra-error-param')[0]).toBe(param);
      }
    });
  }

  it('given a method that does not exist, then UNIMPLEMENTED', async () => {
    expect(await refusalOf('Nothing', Buffer.alloc(0))).toMatchObject({ code: status.UNIMPLEMENTED });
  });

  function seedOf64Bits(): Uint8Array {
    const seedOnly = Buffer.from('1a0b50ffffffffffffffffff01', 'hex'); // options { seed: 2^64 - 1 }
    return Buffer.concat([encoded(request), seedOnly]);
  }

  function refusalOf(method: string, bytes: Uint8Array): Promise<ServiceError> {
    const client = new Client(platform.grpcTarget, credentials.createInsecure());
    const refusal = new Promise<ServiceError>((resolve, reject) => {
      const same = (message: Buffer) => message;
      const call = client.makeServerStreamRequest(`/hydra.v1.Inference/${method}`, same, same, Buffer.from(bytes));
      call.on('data', () => {});
      call.on('error', (error: ServiceError) => resolve(error));
      call.on('end', () => reject(new Error('it was answered')));
    });
    return refusal.finally(() => client.close());
  }
});
