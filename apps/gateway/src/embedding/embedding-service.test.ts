import { afterEach, describe, expect, it } from 'vitest';
import { type EmbedResponse, FailureCode } from '#lib/contracts';
import type { StoryResource } from '../operations/story-resource.js';
import { embedded } from '../test-support/fake-worker.js';
import { openStream, post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

let platform: TestPlatform;
afterEach(() => platform.stop());

interface Answer {
  readonly data: readonly { readonly index: number; readonly embedding: readonly number[] }[];
  readonly error?: { readonly message: string; readonly code: string; readonly param: string };
}

async function ask(input: unknown, rest: object = {}): Promise<{ status: number; answer: Answer; response: Response }> {
  const response = await post(`${platform.url}/v1/embeddings`, { model: 'test-model', input, ...rest });
  return { status: response.status, answer: (await response.json()) as Answer, response };
}

function failure(code: FailureCode, retryable: boolean, message: string, parameter = ''): EmbedResponse {
  const value = { generationId: '', code, retryable, message, parameter, retryAfterMs: 0 };
  return { outcome: { $case: 'failed', value } };
}

/** The attempts of a request, as its story tells them. */
async function attemptsOf({ headers }: Response) {
  const story = await fetch(`${platform.url}/v1/admin/traces/${headers.get('x-request-id')}`);
  const { spans } = (await story.json()) as StoryResource;
  return spans
    .filter(({ name }) => name === 'embed')
    .map(({ open, error, error_message: message }) => ({ open, error, message }));
}

describe('a request for embeddings', () => {
  it('given texts and token ids, when answered, then the vectors are in the order of the inputs, and one lease was held', async () => {
    platform = await startTestPlatform({ task: 'embed' });
    const { status, answer } = await ask([[7, 8, 9], 'ab', [5]]);
    expect(status).toBe(200);
    expect(answer.data.map(({ index, embedding: [length] }) => [index, length])).toEqual([
      [0, 3],
      [1, platform.worker.embeddings[0]!.inputs[1]!.tokenIds.length],
      [2, 1],
    ]);
    expect(answer).toMatchObject({ object: 'list', model: 'test-model' });
    await platform.scheduler.released('lease-1');
    expect(platform.scheduler.releases).toMatchObject([{ outcome: 'finished' }]);
    expect(platform.scheduler.places).toMatchObject([{ promptTokens: 3, maxOutputTokens: 0 }]); // the longest input's
  });

  it('given a worker that dies, when it holds the request, then another one answers it', async () => {
    platform = await startTestPlatform({ task: 'embed', workerCount: 2 });
    const [first, second] = platform.workers as [TestPlatform['worker'], TestPlatform['worker']];
    for (const [dying, other] of [[first, second] as const, [second, first] as const]) {
      dying.onEmbed = () => {
        other.onEmbed = embedded; // whichever is asked first dies
        dying.kill();
        return new Promise(() => {});
      };
    }
    const { status, answer } = await ask([[7, 8, 9]]);
    expect(status).toBe(200);
    expect(answer.data).toMatchObject([{ embedding: [3, 7] }]);
    expect([first.embeddings.length, second.embeddings.length]).toEqual([1, 1]);
    await platform.scheduler.released('lease-2');
    expect(platform.scheduler.releases).toMatchObject([{ outcome: 'worker-lost' }, { outcome: 'finished' }]);
    const lost = first.embeddings[0]!.leaseId === 'lease-1' ? first : second;
    expect(platform.scheduler.places[1]?.avoidWorkerIds).toEqual([lost.workerId]);
  });

  it('given workers that cannot now, when asked three times in all, then the client is told so', async () => {
    platform = await startTestPlatform({ task: 'embed', workerCount: 2 });
    for (const worker of platform.workers) {
      worker.onEmbed = () => failure(FailureCode.SATURATED, true, 'Too much waits for the encoder.');
    }
    const { status, answer, response } = await ask('x');
    expect(status).toBe(503);
    expect(answer.error).toMatchObject({ type: 'server_error' });
    expect(response.headers.get('retry-after')).not.toBeNull();
    expect(platform.workers.flatMap(({ embeddings }) => embeddings)).toHaveLength(3);
  });

  it('given attempts that fail, when their story is read, then each has its error, and the one that answered has none', async () => {
    platform = await startTestPlatform({ task: 'embed', workerCount: 2 });
    let asked = 0;
    for (const worker of platform.workers) {
      worker.onEmbed = (request) =>
        asked++ === 0 ? failure(FailureCode.SATURATED, true, 'Too much waits for the encoder.') : embedded(request);
    }
    const { status, response } = await ask([[7, 8, 9]]);
    expect(status).toBe(200);
    expect(await attemptsOf(response)).toEqual([
      { open: false, error: 'saturated', message: 'Too much waits for the encoder.' },
      { open: false, error: null, message: null },
    ]);
  });

  it('given a refusal in the words of a client, or a time limit, when the story is read, then the error is named and those words are not told', async () => {
    platform = await startTestPlatform({ task: 'embed' });
    platform.worker.onEmbed = () => failure(FailureCode.INVALID_REQUEST, false, 'a secret wish', 'input[0]');
    const refused = await ask('x');
    expect(await attemptsOf(refused.response)).toEqual([{ open: false, error: 'invalid_request', message: null }]);
    platform.worker.onEmbed = () => new Promise(() => {});
    const late = await ask('x', { timeout_ms: 200 });
    expect(await attemptsOf(late.response)).toMatchObject([{ open: false, error: 'deadline_exceeded' }]);
  });

  it('given the only worker, when it hands back what it has not begun, then that is no try, and it is asked again until it takes it', async () => {
    platform = await startTestPlatform({ task: 'embed' });
    let handedBack = 0;
    platform.worker.onEmbed = (request) =>
      handedBack++ < 5 ? failure(FailureCode.DRAINING, true, 'The worker is going.') : embedded(request);
    const { status } = await ask([[7, 8, 9]]);
    expect(status).toBe(200);
    expect(platform.scheduler.places.map(({ attempt }) => attempt)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(platform.scheduler.places.at(-1)?.avoidWorkerIds).toEqual([platform.worker.workerId]);
  });

  it('given a refusal that says what is wrong, when the worker gives it, then it is not repeated and names the input', async () => {
    platform = await startTestPlatform({ task: 'embed', workerCount: 2 });
    for (const worker of platform.workers) {
      worker.onEmbed = () =>
        failure(FailureCode.INVALID_REQUEST, false, 'expected 1 to 4 tokens, but got 5', 'input[0]');
    }
    const { status, answer } = await ask([[1, 2, 3, 4, 5]]);
    expect(status).toBe(400);
    expect(answer.error).toMatchObject({ param: 'input[0]', type: 'invalid_request_error' });
    expect(platform.workers.flatMap(({ embeddings }) => embeddings)).toHaveLength(1);
  });

  it.each([
    [
      'an id outside the vocabulary',
      [[1, 261]],
      'input[0][1]',
      'invalid_value',
      "token id 261 is outside the model's vocabulary of 261 tokens",
    ],
    ['one outside in a single list', [1, 2, 999], 'input[2]', 'invalid_value', 'token id 999 is outside'],
    ['too many ids', ['x', Array(513).fill(1)], 'input[1]', 'context_length_exceeded', 'at most 512 tokens'],
    [
      'a text that is too long',
      ['x', 'y', 'a b '.repeat(300)],
      'input[2]',
      'context_length_exceeded',
      'at most 512 tokens',
    ],
    ['a text that is far too long', 'a b '.repeat(100_000), 'input', 'context_length_exceeded', 'at most 512 tokens'],
  ])('given %s, when asked, then 400 names it and no worker is asked', async (_name, input, param, code, message) => {
    platform = await startTestPlatform({ task: 'embed' });
    const { status, answer } = await ask(input);
    expect(status).toBe(400);
    expect(answer.error).toMatchObject({ type: 'invalid_request_error', param, code });
    expect(answer.error?.message).toContain(message);
    expect(platform.worker.embeddings).toHaveLength(0);
    expect(platform.scheduler.places).toHaveLength(0);
  });

  it('given an unknown model, when asked, then it is not found', async () => {
    platform = await startTestPlatform({ task: 'embed' });
    const { status, answer } = await ask('x', { model: 'nobody' });
    expect(status).toBe(404);
    expect(answer.error).toMatchObject({ code: 'model_not_found', param: 'model' });
  });

  it('given a model that generates, when asked for embeddings, then 400 says that it makes none', async () => {
    platform = await startTestPlatform();
    const { status, answer } = await ask('x');
    expect(status).toBe(400);
    expect(answer.error).toMatchObject({
      ...{ code: 'invalid_value', param: 'model' },
      message: "The model 'test-model' generates text and makes no embeddings.",
    });
  });

  it.each([
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'x' }] }],
    ['/v1/completions', { prompt: 'x' }],
    ['/v1/completions', { prompt: 'x', stream: true }],
  ])('given a model that makes embeddings, when %s is asked, then 400 names the right path', async (path, body) => {
    platform = await startTestPlatform({ task: 'embed' });
    const response = await post(`${platform.url}${path}`, { model: 'test-model', ...body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: {
        ...{ code: 'invalid_value', param: 'model' },
        message: "The model 'test-model' makes embeddings and cannot generate text: use /v1/embeddings.",
      },
    });
    expect(platform.worker.generations).toHaveLength(0);
  });

  it('given a client that leaves, when its request runs, then its lease is given back', async () => {
    platform = await startTestPlatform({ task: 'embed' });
    platform.worker.onEmbed = () => new Promise(() => {});
    const call = openStream(`${platform.url}/v1/embeddings`, { model: 'test-model', input: 'x' });
    await platform.worker.changed.until(() => platform.worker.embeddings.length === 1);
    call.abort();
    await platform.scheduler.released('lease-1');
    expect(platform.scheduler.releases).toMatchObject([{ outcome: 'cancelled' }]);
  });

  it('given a time limit, when the worker does not answer in time, then 504 says so and the lease is given back', async () => {
    platform = await startTestPlatform({ task: 'embed' });
    platform.worker.onEmbed = () => new Promise(() => {});
    const { status, answer } = await ask('x', { timeout_ms: 200 });
    expect(status).toBe(504);
    expect(answer.error).toMatchObject({ code: 'deadline_exceeded' });
    await platform.scheduler.released('lease-1');
  });
});
