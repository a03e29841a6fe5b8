import { pino } from 'pino';
import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OtlpReceiver } from '../../testing/otlp-receiver.js';
import { TEST_SERVICE, traceOptions } from '../../testing/trace-options.js';
import type { TraceOptions } from './trace-options.js';
import { Tracing } from './tracing.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const caller = (flag: string) => ({ traceparent: `00-${TRACE}-${PARENT}-${flag}`, tracestate: 'a=b' });
const NOBODY = { traceparent: undefined, tracestate: undefined };
const WHO = { requestId: 'request-1', tenantId: 'acme' };

let receiver: OtlpReceiver;
let tracing: Tracing;
const lines: Record<string, unknown>[] = [];
const logger = pino({ messageKey: 'message' }, { write: (line: string) => lines.push(JSON.parse(line)) });

async function open(options: Partial<TraceOptions> = {}): Promise<Tracing> {
  tracing = await Tracing.open(traceOptions({ endpoint: receiver.endpoint, ...options }), TEST_SERVICE, logger);
  return tracing;
}

beforeEach(async () => {
  register.clear();
  lines.length = 0;
  receiver = await OtlpReceiver.listen();
});
afterEach(async () => {
  await tracing?.onApplicationShutdown();
  await receiver.close();
});

describe('a request in a sampled trace', () => {
  it('given spans with children, events and times, when it is over, then the collector has them as they were recorded', async () => {
    const record = (await open()).beginRequest({ ...caller('01'), ...WHO }, 'POST /v1/x');
    record.generationIds.push('generation-1');
    const startMs = performance.now();
    const child = record.root.child('chat m', 'internal', startMs);
    child.set({ 'gen_ai.usage.input_tokens': 7, ratio: 0.5, flag: true, words: ['a', 'b'], absent: undefined });
    child.event('first_token', { n: 1 });
    child.end(startMs + 1_500);
    record.close();
    const spans = await receiver.until((all) => (all.length === 2 ? all : undefined));
    const [root, chat] = spans as [(typeof spans)[0], (typeof spans)[0]];
    expect(root).toMatchObject({
      name: 'POST /v1/x',
      kind: 'server',
      traceId: TRACE,
      parentSpanId: PARENT,
      traceState: 'a=b',
    });
    expect(root.attributes).toMatchObject({
      'hydra.request.id': 'request-1',
      'hydra.tenant.id': 'acme',
      'hydra.generation.ids': ['generation-1'],
    });
    expect(chat).toMatchObject({ name: 'chat m', kind: 'internal', traceId: TRACE, parentSpanId: root.spanId });
    expect(chat.attributes).toEqual({ 'gen_ai.usage.input_tokens': 7, ratio: 0.5, flag: true, words: ['a', 'b'] });
    expect(chat.events).toEqual([{ name: 'first_token', attributes: { n: 1 } }]);
    expect(Number(chat.endUnixNs - chat.startUnixNs) / 1e6).toBeCloseTo(1_500, 2);
    expect(Math.abs(Number(chat.startUnixNs / 1_000_000n) - Date.now())).toBeLessThan(60_000);
    expect(chat.service).toBe('hydra-test');
  });

  it('given attributes that are set again, and to nothing, when they are read, then the last that is something counts', async () => {
    const { root } = (await open()).beginRequest({ ...caller('00'), ...WHO }, 'a');
    expect(root.attributes).toEqual({});
    root.set({ first: 1, again: 1, kept: 1 }).set({ again: 2, kept: undefined }).set({ again: 3 });
    expect(root.attributes).toEqual({ first: 1, again: 3, kept: 1 });
    for (let i = 0; i < 100; i++) root.set({ again: i });
    expect(root.attributes).toEqual({ first: 1, again: 99, kept: 1 });
    expect(root.bytes).toBeLessThan(2_000);
  });

  it('given the context of a span, when another app works for it, then its spans are in the same trace below it', async () => {
    const { root } = (await open()).beginRequest({ ...caller('01'), ...WHO }, 'a');
    const asked = root.child('place', 'client');
    const work = tracing.beginWork({ trace: asked.traceContext, ...WHO, generationId: 'g' }, 'place');
    work.close();
    const [span] = await receiver.until((all) => (all.length > 0 ? all : undefined));
    expect(span).toMatchObject({ traceId: TRACE, parentSpanId: asked.spanId, kind: 'server' });
  });
});

describe('sampling', () => {
  it('given a caller that does not sample, when nothing fails, then nothing is sent; when something fails, then all of it is', async () => {
    const silent = (await open({ sampleRatio: 1 })).beginRequest({ ...caller('00'), ...WHO }, 'silent');
    silent.close();
    const failing = tracing.beginRequest({ ...caller('00'), ...WHO }, 'failing');
    failing.root.child('before').end();
    expect(failing.root.traceContext.traceparent).toMatch(/-00$/);
    failing.root.child('attempt').fail({ type: 'worker_lost', message: 'gone' });
    expect(failing.root.traceContext.traceparent).toMatch(/-01$/); // what follows is sampled everywhere
    failing.close();
    const spans = await receiver.until((all) => (all.length === 3 ? all : undefined));
    expect(spans.map(({ name }) => name)).toEqual(['failing', 'before', 'attempt']);
    expect(spans[2]).toMatchObject({ error: 'gone', attributes: { 'error.type': 'worker_lost' } });
    expect(spans[0]?.error).toBeUndefined();
  });

  it('given a request that is over, when its failure shows later, then it is sent then', async () => {
    const record = (await open({ sampleRatio: 0 })).beginRequest({ ...NOBODY, ...WHO }, 'late');
    tracing.recorder.name(record, 'lease-1');
    record.close();
    tracing.recorder.named('lease-1')?.fail();
    tracing.recorder.named('lease-1')?.fail();
    await receiver.until((all) => (all.length > 0 ? all : undefined));
    await tracing.onApplicationShutdown();
    expect(receiver.spans).toHaveLength(1);
    expect(receiver.spans[0]?.parentSpanId).toBe('');
  });

  it('given a ratio of a quarter, when traces begin here, then about a quarter of them is sampled', async () => {
    await open({ sampleRatio: 0.25 });
    const sampled = Array.from({ length: 2_000 }, () => tracing.beginRequest({ ...NOBODY, ...WHO }, 'x').isSampled);
    const share = sampled.filter(Boolean).length / sampled.length;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.3);
  });

  it.each([
    ['always_on', '00', true],
    ['always_off', '01', false],
    ['parentbased_always_off', '01', true],
    ['parentbased_always_on', '00', false],
    ['traceidratio', '00', true],
  ] as const)(
    'given %s and a caller with the flag %s, when it begins, then sampled is %s',
    async (sampler, flag, expected) => {
      await open({ sampler, sampleRatio: 1 });
      expect(tracing.beginRequest({ ...caller(flag), ...WHO }, 'x').isSampled).toBe(expected);
    },
  );

  it("given no collector, when a request comes, then the caller's flag goes on and nothing is sent", async () => {
    tracing = await Tracing.open(traceOptions({ sampleRatio: 1 }), TEST_SERVICE, logger);
    expect(tracing.beginRequest({ ...NOBODY, ...WHO }, 'x').isSampled).toBe(false);
    const record = tracing.beginRequest({ ...caller('01'), ...WHO }, 'x');
    expect(record.root.traceContext.traceparent).toMatch(new RegExp(`^00-${TRACE}-${record.root.spanId}-01$`));
    record.close();
    await tracing.onApplicationShutdown();
    expect(receiver.headers).toEqual([]);
  });
});

describe('a collector that is away', () => {
  const dropped = async (reason: string) => {
    const { values } = await register.getSingleMetric('hydra_trace_spans_dropped_total')!.get();
    return values.find(({ labels }) => labels['reason'] === reason)?.value ?? 0;
  };

  it('given one that refuses, when requests go on, then it is said once, counted, and said once when it is back', async () => {
    receiver.status = 400; // not one that is tried again
    await open({ sampler: 'always_on', batchSpans: 1, intervalMs: 1 });
    const send = () => tracing.beginRequest({ ...NOBODY, ...WHO }, 'x').close();
    const refused = async (count: number) => {
      while (receiver.headers.length < count)
        await receiver.until((all) => (receiver.headers.length >= count ? all : undefined));
    };
    send();
    await refused(1);
    send();
    await refused(2);
    receiver.status = 200;
    send();
    await receiver.until((all) => (all.length > 0 ? all : undefined));
    await tracing.onApplicationShutdown();
    expect(lines.map(({ message }) => message)).toEqual([
      'the collector does not take traces: they are dropped until it does',
      'the collector takes traces again',
    ]);
    expect(await dropped('collector')).toBe(2);
  });

  it('given more spans than may wait, when a request ends, then none of its spans is queued, and they are counted', async () => {
    await open({ sampler: 'always_on', queueSpans: 3, intervalMs: 60_000 });
    for (let i = 0; i < 3; i++) {
      const record = tracing.beginRequest({ ...NOBODY, ...WHO }, `request ${i}`);
      record.root.child('inner').end();
      record.close();
    }
    expect(await dropped('queue-full')).toBe(4);
    await tracing.onApplicationShutdown();
    expect(receiver.spans.map(({ name }) => name)).toEqual(['request 0', 'inner']);
  });
});
