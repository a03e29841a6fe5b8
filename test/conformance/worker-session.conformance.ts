import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type DrainRequest, type DrainResponse, FailureCode, FinishReason } from '#lib/contracts';
import type { RequestParts } from '../../libs/engine/testing/requests.js';
import { eventually } from '../support/eventually.js';
import { metricSum } from '../support/metrics.js';
import { describeWorkerAdapters } from './worker-adapters.conformance.js';
import { WorkerSessions, type WorkerUnderTest } from './worker-sessions.js';

/**
 * What every worker must do on its session, whatever engine it runs. It is to have at most 16 slots and few places to wait,
 * and to log at level `debug`.
 */
export function describeWorker(name: string, start: () => Promise<WorkerUnderTest>): void {
  describe(`${name} on its session`, () => {
    let worker: WorkerUnderTest;
    let sessions: WorkerSessions;
    const begin = async () => {
      worker = await start();
      sessions = new WorkerSessions(worker);
    };
    const open = (gatewayId?: string, takesEnded?: boolean) => sessions.open(gatewayId, takesEnded);
    const request = (parts?: RequestParts) => sessions.request(parts);
    const metrics = () => sessions.metrics();
    const idle = () => sessions.idle();

    beforeAll(begin);
    afterAll(() => worker?.stop());
    afterEach(() => sessions.closeAll());

    it('given a hello, when sent, then the worker welcomes with its id and epoch', async () => {
      const session = await open();
      expect(session.welcome).toEqual({ workerId: worker.workerId, workerEpoch: worker.epoch });
    });

    it('given no hello or another revision, when sent, then the session is refused with a status', async () => {
      for (const first of [
        { $case: 'submit', value: request() },
        { $case: 'hello', value: { gatewayId: 'gateway', protocolRevision: 99, takesEnded: false } },
      ] as const) {
        const session = sessions.connect();
        session.send(first);
        await expect(session.until(() => false)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
      }
    });

    it.each([
      ['a gateway', false, 'finished'],
      ['a gateway that takes ends in frames', true, 'frame'],
    ])(
      'given a generation of %s, when submitted, then frames come in order, and one end with usage',
      async (_of, takesEnded, last) => {
        const session = await open(undefined, takesEnded);
        const id = session.submit(request({ stop: { maxTokens: 10 } }));
        await session.end(id);
        expect(session.tokenIds(id)).toHaveLength(10);
        expect(session.finishReason(id)).toBe(FinishReason.LENGTH);
        expect(session.finished(id)?.usage).toMatchObject({
          promptTokens: worker.prompts[0].length,
          completionTokens: 10,
        });
        expect(session.ends(id)).toBe(1);
        const steps = session.received.flatMap((message) => (message.$case === 'frame' ? [message.value.step] : []));
        expect(steps).toEqual([...steps].sort((a, b) => a - b));
        expect(session.received.at(-1)?.$case).toBe(last);
      },
    );

    it('given tokens that may be gathered, when it runs, then the first comes at once and the rest in few pieces, all the same', async () => {
      const session = await open();
      const each = session.submit(request({ stop: { maxTokens: 30 } }));
      const gathered = session.submit(request({ stop: { maxTokens: 30 }, gatherTokens: 16, initialCredit: 64 }));
      await Promise.all([session.end(each), session.end(gathered)]);
      expect(session.entries(gathered).map(({ tokenIds }) => tokenIds.length)).toEqual([1, 16, 13]);
      expect(session.tokenIds(gathered)).toEqual(session.tokenIds(each));
      expect(session.text(gathered)).toBe(session.text(each));
      expect(session.finishReason(gathered)).toBe(FinishReason.LENGTH);
    });

    it('given several generations of one gateway, when they run together, then a step is one frame for all', async () => {
      const session = await open();
      const requests = Array.from({ length: 4 }, () => request({ initialCredit: 1, stop: { maxTokens: 40 } }));
      const ids = requests.map((each) => session.submit(each));
      await session.until(() => ids.every((id) => session.tokenIds(id).length === 1)); // all have a slot, and pause
      for (const id of ids) session.credit(id, 39);
      await Promise.all(ids.map((id) => session.end(id)));
      const widths = session.received.flatMap((message) =>
        message.$case === 'frame' ? [message.value.entries.length] : [],
      );
      expect(Math.max(...widths)).toBe(4);
      expect(new Set(ids.map((id) => session.text(id))).size).toBe(1);
    });

    it('given two gateways, when both have generations, then each gets its own only', async () => {
      const [one, two] = [await open('gateway-1'), await open('gateway-2')];
      const first = one.submit(request({ stop: { maxTokens: 8 } }));
      const second = two.submit(request({ promptTokenIds: [...worker.prompts[1]], stop: { maxTokens: 8 } }));
      await Promise.all([one.end(first), two.end(second)]);
      expect(one.entries(second)).toEqual([]);
      expect(two.entries(first)).toEqual([]);
      two.cancel(first); // another's: ignored
      expect(one.tokenIds(first)).toHaveLength(8);
    });

    it('given a cancel while it runs and one in prefill, when sent, then both end as cancelled, with usage', async () => {
      const session = await open();
      const started = session.submit(request({ initialCredit: 3, stop: { maxTokens: 40 } }));
      await session.until(() => session.tokenIds(started).length > 0);
      session.cancel(started);
      const fresh = session.submit(request({ stop: { maxTokens: 40 } }));
      session.cancel(fresh);
      await Promise.all([session.end(started), session.end(fresh)]);
      for (const id of [started, fresh]) {
        expect(session.finishReason(id)).toBe(FinishReason.CANCELLED);
        expect(session.finished(id)?.usage).toBeDefined();
      }
    });

    it('given no more credit, when it is used up, then the sequence pauses, others go on, and credit resumes it', async () => {
      const session = await open();
      const paused = session.submit(request({ initialCredit: 2, stop: { maxTokens: 10 } }));
      await session.until(() => session.tokenIds(paused).length === 2);
      const other = session.submit(request({ stop: { maxTokens: 12 } }));
      await session.end(other);
      expect(session.tokenIds(paused)).toHaveLength(2);
      session.credit(paused, 3);
      await session.until(() => session.tokenIds(paused).length === 5);
      session.credit(paused, 100);
      await session.end(paused);
      expect(session.tokenIds(paused)).toEqual(session.tokenIds(other).slice(0, 10));
    });

    it('given a deadline, when it passes, then the generation fails and is not retryable', async () => {
      const session = await open();
      const id = session.submit(request({ initialCredit: 1, deadlineUnixMs: Date.now() + 100 }));
      await session.end(id);
      expect(session.failed(id)).toMatchObject({ code: FailureCode.DEADLINE_EXCEEDED, retryable: false });
    });

    it('given another model, another epoch or a wrong parameter, when submitted, then the failure says which', async () => {
      const session = await open();
      const cases: [RequestParts, FailureCode, boolean, string][] = [
        [{ modelId: 'another' }, FailureCode.UNKNOWN_MODEL, true, 'model'],
        [{ adapterId: 'another' }, FailureCode.UNKNOWN_MODEL, true, 'model'],
        [{ workerEpoch: worker.epoch - 1 }, FailureCode.STALE_EPOCH, true, ''],
        [{ promptTokenIds: [] }, FailureCode.INVALID_REQUEST, false, 'prompt'],
        [{ sampling: { topP: 7 } }, FailureCode.INVALID_REQUEST, false, 'top_p'],
      ];
      for (const [parts, code, retryable, parameter] of cases) {
        const id = session.submit(request(parts));
        await session.end(id);
        expect(session.failed(id)).toMatchObject({ code, retryable, parameter });
        expect(session.failed(id)?.message).not.toBe('');
      }
    });

    it('given more than there is room for, when submitted, then it is refused as saturated and the others finish', async () => {
      const session = await open();
      const ids = Array.from({ length: 64 }, () =>
        session.submit(request({ initialCredit: 1, stop: { maxTokens: 2 } })),
      );
      await session.until(() => ids.some((id) => session.failed(id) !== undefined));
      for (const id of ids) session.credit(id, 1);
      await Promise.all(ids.map((id) => session.end(id)));
      const failures = ids.map((id) => session.failed(id)).filter((failure) => failure !== undefined);
      for (const failure of failures) expect(failure).toMatchObject({ code: FailureCode.SATURATED, retryable: true });
      expect(failures.length).toBeLessThan(64);
      for (const id of ids) if (session.finished(id)) expect(session.tokenIds(id)).toHaveLength(2);
    });

    it('given a stop string, when it comes over token borders, then nothing of it is delivered', async () => {
      const session = await open();
      const whole = session.submit(request({ stop: { maxTokens: 40 } }));
      await session.end(whole);
      const text = session.text(whole);
      const stop = text.slice(-7, -2);
      const stopped = session.submit(request({ stop: { maxTokens: 40, stopStrings: [stop] } }));
      await session.end(stopped);
      expect(session.text(stopped)).toBe(text.slice(0, text.indexOf(stop)));
      expect(session.entries(stopped).at(-1)).toMatchObject({ finishReason: FinishReason.STOP, stopMatch: stop });
    });

    it('given a trace and a request id, when a generation runs, then the log lines about it carry both', async () => {
      const session = await open();
      const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: '' };
      const submitted = request({ trace, stop: { maxTokens: 2 } });
      await session.end(session.submit(submitted));
      const lines = await eventually(() => {
        const own = worker.logLines().filter((line) => line['request_id'] === submitted.requestId);
        return own.length >= 2 ? own : undefined; // accepted, finished
      });
      for (const line of lines) {
        expect(line).toMatchObject({
          generation_id: submitted.generationId,
          trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
        });
      }
    });

    it('given running generations, when the session breaks, then all of them leave the engine', async () => {
      const session = await open();
      const ids = Array.from({ length: 3 }, () =>
        session.submit(request({ initialCredit: 1, stop: { maxTokens: 40 } })),
      );
      await session.until(() => ids.every((id) => session.tokenIds(id).length > 0));
      expect(await sessions.running()).toBe(3);
      session.close();
      await idle();
      const text = await metrics();
      expect(metricSum(text, 'hydra_worker_kv_used_bytes')).toBe(0);
    });

    it('given a gateway that does not read, when its tokens pile up, then they arrive whole afterwards, and others are not held up', async () => {
      const slow = await open('gateway-slow');
      slow.call.pause();
      const ids = Array.from({ length: 4 }, () => slow.submit(request({ stop: { maxTokens: 40 } })));
      const brisk = await open('gateway-brisk');
      const other = brisk.submit(request({ stop: { maxTokens: 40 } }));
      await brisk.end(other);
      await idle();
      slow.call.resume();
      await Promise.all(ids.map((id) => slow.end(id)));
      for (const id of ids) expect(slow.tokenIds(id)).toEqual(brisk.tokenIds(other));
    });

    it('given a text fingerprint, when asked for files, then they come in pieces; an unknown one is not found', async () => {
      const session = await open();
      const { files, largestChunkBytes } = await session.modelFiles(worker.textFingerprint);
      expect(JSON.parse(files.get('tokenizer.json')!.toString())).toHaveProperty('model');
      expect(largestChunkBytes).toBeLessThanOrEqual(1024 * 1024);
      await expect(session.modelFiles('unknown')).rejects.toMatchObject({ code: status.NOT_FOUND });
    });

    describe('adapters', () => describeWorkerAdapters(() => sessions));

    it('given a running worker, when its health and metrics are read, then they have the names that scrapers know', async () => {
      for (const path of ['live', 'startup', 'ready']) {
        expect((await fetch(`http://127.0.0.1:${worker.httpPort}/health/${path}`)).status, path).toBe(200);
      }
      const text = await metrics();
      const aliases = [
        'vllm:num_requests_running',
        'vllm:num_requests_waiting',
        'vllm:kv_cache_usage_perc',
        'vllm:generation_tokens_total',
        'vllm:prompt_tokens_total',
        'vllm:time_to_first_token_seconds_bucket',
        'vllm:inter_token_latency_seconds_count',
      ];
      for (const alias of aliases) expect(text).toContain(`${alias}{`);
      expect(metricSum(text, 'vllm:generation_tokens_total', { model_name: worker.modelId })).toBeGreaterThan(0);
    });

    it('given a drain, when it begins, then what runs goes on, new is refused, and health says so', async () => {
      const session = await open();
      const id = session.submit(request({ initialCredit: 1, stop: { maxTokens: 6 } }));
      await session.until(() => session.tokenIds(id).length > 0);
      const drain = promisify<DrainRequest, DrainResponse>(session.client.drain.bind(session.client));
      expect(await drain({ graceMs: 0 })).toEqual({ remainingGenerations: 1 });
      const late = session.submit(request());
      await session.end(late);
      expect(session.failed(late)).toMatchObject({ code: FailureCode.DRAINING, retryable: true });
      expect((await fetch(`http://127.0.0.1:${worker.httpPort}/health/ready`)).status).toBe(503);
      expect((await fetch(`http://127.0.0.1:${worker.httpPort}/health/live`)).status).toBe(200);
      session.credit(id, 100);
      await session.end(id);
      expect(session.tokenIds(id)).toHaveLength(6);
    });

    it('given a stop, when something still runs after the drain time, then it fails retryable and the session ends', async () => {
      await worker.stop();
      await begin();
      const session = await open();
      const id = session.submit(request({ initialCredit: 1, stop: { maxTokens: 6 } }));
      await session.until(() => session.tokenIds(id).length > 0);
      await worker.stop();
      await session.until(() => session.isEnded);
      expect(session.failed(id)).toMatchObject({ code: FailureCode.DRAINING, retryable: true });
      expect(session.ends(id)).toBe(1);
      await begin();
    });
  });
}
