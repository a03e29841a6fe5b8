import { afterEach, describe, expect, it } from 'vitest';
import { FailureCode, FinishReason, GenerationRequest } from '#lib/contracts';
import type { GenerationEvent, GenerationStream } from './generation-stream.js';
import { nextOf, SessionServer } from './session-server.test-support.js';
import { type SessionState, WorkerSession, type WorkerSessionOptions } from './worker-session.js';

const request = (generationId: string, initialCredit = 8) =>
  GenerationRequest.fromPartial({ generationId, initialCredit, promptTokenIds: [1], sequenceCount: 1 });

const usage = { promptTokens: 1, completionTokens: 2, cachedPromptTokens: 0, queueUs: 0, prefillUs: 0, decodeUs: 0 };

describe('WorkerSession', () => {
  const servers: SessionServer[] = [];
  const sessions: WorkerSession[] = [];
  const states: SessionState[] = [];
  let stateListener = () => {};

  afterEach(async () => {
    for (const session of sessions.splice(0)) session.close();
    for (const server of servers.splice(0)) await server.kill();
    states.splice(0);
  });

  async function pair(options: Partial<WorkerSessionOptions> = {}): Promise<[SessionServer, WorkerSession]> {
    const server = await new SessionServer().listen();
    servers.push(server);
    const session = new WorkerSession({
      target: server.target,
      gatewayId: 'gateway-a',
      onStateChange: (state) => {
        states.push(state);
        stateListener();
      },
      ...options,
    });
    sessions.push(session);
    return [server, session];
  }

  const untilState = (wanted: SessionState) =>
    new Promise<void>((resolve) => {
      const check = () => states.includes(wanted) && resolve();
      stateListener = check;
      check();
    });

  it('given a frame with ends, then each of them comes after the entries of its generation', async () => {
    const [server, session] = await pair();
    const streams = ['g1', 'g2'].map((id) => session.submit(request(id)));
    await server.until(() => server.of('submit').length === 2);
    const entries = ['g1', 'g2'].map((id) => server.entry(id, [6], 0, FinishReason.STOP));
    const ended = ['g1', 'g2', 'unknown'].map((generationId) => ({ generationId, usage }));
    server.send({ $case: 'frame', value: { step: 1, entries, ended } });
    for (const stream of streams) {
      expect(await nextOf(stream)).toMatchObject({ kind: 'entries', entries: [{ tokenIds: [6] }] });
      expect(await nextOf(stream)).toEqual({ kind: 'finished', usage });
    }
    expect(session.openGenerations).toBe(0);
  });

  it('greets, learns who the worker is, and carries a generation to its end', async () => {
    const [server, session] = await pair();
    const stream = session.submit(request('g1'));
    await server.until(() => server.of('submit')[0]);
    const hello = { gatewayId: 'gateway-a', protocolRevision: 1, takesEnded: true };
    expect(server.received[0]).toEqual({ $case: 'hello', value: hello });
    server.frame(server.entry('g1', [5]));
    expect(await nextOf(stream)).toMatchObject({ kind: 'entries', entries: [{ tokenIds: [5], text: ' 5' }] });
    server.frame(server.entry('g1', [6], 0, FinishReason.STOP));
    server.send({ $case: 'finished', value: { generationId: 'g1', usage } });
    expect(await nextOf(stream)).toMatchObject({ kind: 'entries', entries: [{ finishReason: FinishReason.STOP }] });
    expect(await nextOf(stream)).toEqual({ kind: 'finished', usage });
    expect(session.welcome).toEqual({ workerId: 'worker-0', workerEpoch: 7 });
    expect(session.openGenerations).toBe(0);
  });

  it('grants credit as the reader takes, and none while it does not', async () => {
    const [server, session] = await pair();
    const slow = session.submit(request('slow', 4));
    const other = session.submit(request('other', 4));
    await server.until(() => server.of('submit').length === 2);
    for (let token = 0; token < 4; token++) server.frame(server.entry('slow', [token]));
    server.frame(server.entry('other', [1, 2, 3]));
    expect(await nextOf(other)).toMatchObject({ kind: 'entries' });
    await server.until(() => server.of('credit')[0]);
    expect(server.of('credit')).toEqual([{ generationId: 'other', tokens: 3 }]);
    expect(slow.bufferedTokens).toBe(4);
    expect(await nextOf(slow)).toMatchObject({ entries: [{}, {}, {}, {}] });
    await server.until(() => server.of('credit')[1]);
    expect(server.of('credit')[1]).toEqual({ generationId: 'slow', tokens: 4 });
  });

  it('breaks off a generation whose worker ignores the credit, and no other', async () => {
    const [server, session] = await pair();
    const flooded = session.submit(request('flooded', 2));
    const other = session.submit(request('other', 2));
    await server.until(() => server.of('submit').length === 2);
    for (let token = 0; token < 10; token++) server.frame(server.entry('flooded', [token]));
    server.frame(server.entry('other', [1]));
    expect(await nextOf(other)).toMatchObject({ kind: 'entries' });
    await server.until(() => server.of('cancel')[0]);
    expect(flooded.bufferedTokens).toBe(0);
    expect(await nextOf(flooded)).toMatchObject({ kind: 'failed', failure: { code: FailureCode.ENGINE_ERROR } });
  });

  it('tells the worker of a cancellation and still gives the end with its usage', async () => {
    const [server, session] = await pair();
    const stream = session.submit(request('g1'));
    await server.until(() => server.of('submit')[0]);
    stream.cancel('client-gone');
    expect(await server.until(() => server.of('cancel')[0])).toEqual({ generationId: 'g1', reason: 'client-gone' });
    server.frame(server.entry('g1', [1]));
    server.send({ $case: 'finished', value: { generationId: 'g1', usage } });
    expect(await nextOf(stream)).toEqual({ kind: 'finished', usage });
  });

  it('ends a cancelled generation when the worker does not answer', async () => {
    const [server, session] = await pair({ cancelTimeoutMs: 20 });
    const stream = session.submit(request('g1'));
    await server.until(() => server.of('submit')[0]);
    stream.cancel('client-gone');
    expect(await nextOf(stream)).toMatchObject({ kind: 'failed', failure: { isRetryable: false } });
  });

  it('never sends a generation that is cancelled before it was written', async () => {
    const [server, session] = await pair();
    session.submit(request('early')).cancel('client-gone');
    const later = session.submit(request('later'));
    await server.until(() => server.of('submit')[0]);
    later.cancel('client-gone');
    await server.until(() => server.of('cancel')[0]);
    expect(server.of('submit').map(({ generationId }) => generationId)).toEqual(['later']);
    expect(server.of('cancel')).toHaveLength(1);
  });

  it('fails every open generation at once when the worker dies; only what was not taken is retryable', async () => {
    const [server, session] = await pair();
    const fresh = session.submit(request('fresh'));
    const untaken = session.submit(request('untaken'));
    const started = session.submit(request('started'));
    await server.until(() => server.of('submit').length === 3);
    server.frame(server.entry('started', [1]), server.entry('untaken', [1]));
    await nextOf(started);
    await server.kill();
    const lost = (isRetryable: boolean) => ({
      kind: 'failed',
      failure: { code: FailureCode.WORKER_LOST, isRetryable },
    });
    expect(await nextOf(fresh)).toMatchObject(lost(true));
    expect(await nextOf(untaken)).toMatchObject(lost(true));
    expect(await nextOf(started)).toMatchObject(lost(false));
    expect(session.welcome).toBeUndefined();
  });

  it('connects again after a restart of the worker on the same port', async () => {
    const [server, session] = await pair();
    await untilState('open');
    await server.kill();
    await untilState('waiting');
    states.splice(0);
    await server.listen(server.port);
    await untilState('open');
    const stream = session.submit(request('again'));
    await server.until(() => server.of('submit')[0]);
    server.frame(server.entry('again', [1]));
    expect((await nextOf(stream)).kind).toBe('entries');
  });

  it('a submit does not wait for the back-off: it fails at once as retryable when nobody listens', async () => {
    const [server, session] = await pair();
    await untilState('open');
    await server.kill();
    await untilState('waiting');
    const event = await nextOf(session.submit(request('g1')));
    expect(event).toMatchObject({ kind: 'failed', failure: { code: FailureCode.WORKER_LOST, isRetryable: true } });
  });

  it('gives up a worker that accepts the connection and never greets', async () => {
    const server = await new SessionServer().listen();
    server.isSilent = true;
    servers.push(server);
    const session = new WorkerSession({ target: server.target, gatewayId: 'a', welcomeTimeoutMs: 30 });
    sessions.push(session);
    expect(await nextOf(session.submit(request('g1')))).toMatchObject({ failure: { code: FailureCode.WORKER_LOST } });
  });

  it('passes a refusal on as the worker said it', async () => {
    const [server, session] = await pair();
    const stream = session.submit(request('g1'));
    await server.until(() => server.of('submit')[0]);
    const value = {
      generationId: 'g1',
      code: FailureCode.SATURATED,
      retryable: true,
      message: 'full',
      parameter: '',
      retryAfterMs: 5,
    };
    server.send({ $case: 'failed', value });
    expect(await nextOf(stream)).toEqual({
      kind: 'failed',
      failure: { code: FailureCode.SATURATED, isRetryable: true, message: 'full', parameter: '', retryAfterMs: 5 },
    } satisfies GenerationEvent);
  });

  it('carries many generations at once, each with its own tokens', async () => {
    const [server, session] = await pair();
    const streams = new Map<string, GenerationStream>();
    for (let i = 0; i < 200; i++) streams.set(`g${i}`, session.submit(request(`g${i}`)));
    await server.until(() => server.of('submit').length === 200);
    for (let step = 0; step < 5; step++) server.frame(...[...streams.keys()].map((id, i) => server.entry(id, [i])));
    for (const id of streams.keys()) server.send({ $case: 'finished', value: { generationId: id, usage } });
    for (const [id, stream] of streams) {
      const tokens: number[] = [];
      for (let event = await nextOf(stream); event.kind === 'entries'; event = await nextOf(stream)) {
        tokens.push(...event.entries.flatMap(({ tokenIds }) => tokenIds));
      }
      expect(tokens).toEqual(Array(5).fill(Number(id.slice(1))));
    }
  });

  it('reads model files, and refuses a file that was cut', async () => {
    const [, session] = await pair();
    const { signal } = new AbortController();
    const files = await session.modelFiles('abc', signal);
    expect(Buffer.from(files.get('tokenizer.json') ?? []).toString()).toBe('{"a":1}');
    await expect(session.modelFiles('cut', signal)).rejects.toThrow('only a part of tokenizer.json');
    await expect(session.modelFiles('unknown', signal)).rejects.toThrow('NOT_FOUND: no such model');
  });
});
