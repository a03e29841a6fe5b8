import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { type RunningPlatform, startPlatform } from '../support/platform.js';
import { RunningCollector } from './support/collector.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CLIENT_SPAN = '00f067aa0ba902b7';

let collector: RunningCollector;
let platform: RunningPlatform;
beforeAll(async () => {
  collector = await RunningCollector.start();
  platform = await startPlatform({
    env: {
      HYDRA_ENGINE: 'mock',
      HYDRA_MOCK_TTFT_MS: '1',
      HYDRA_MOCK_ITL_MS: '1',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_TRACES_SAMPLER_ARG: '0',
      OTEL_BSP_SCHEDULE_DELAY: '20',
    },
  });
});
afterAll(async () => {
  await platform?.stop();
  await collector?.stop();
});

it('given the OpenTelemetry Collector, when a client streams a chat in its own sampled trace, then the collector has the spans of every app, each below its parent', async () => {
  const response = await fetch(`${platform.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${TRACE}-${CLIENT_SPAN}-01` },
    body: JSON.stringify({
      ...{ model: 'default', messages: [{ role: 'user', content: 'Hello' }] },
      ...{ max_tokens: 4, ignore_eos: true, stream: true },
    }),
  });
  expect(await response.text()).toContain('[DONE]');

  const wanted = ['POST /v1/chat/completions', 'place', 'generate', 'engine.decode'];
  const spans = await eventually(() => {
    const own = collector.spans().filter(({ traceId }) => traceId === TRACE);
    return wanted.every((name) => own.some((span) => span.name === name)) ? own : undefined;
  });
  expect(new Set(spans.map(({ service }) => service))).toEqual(
    new Set(['hydra-gateway', 'hydra-scheduler', 'hydra-inference']),
  );
  const ids = new Set([CLIENT_SPAN, ...spans.map(({ spanId }) => spanId)]);
  expect(spans.filter(({ parentSpanId }) => !ids.has(parentSpanId))).toEqual([]);
  const chat = spans.find(({ attributes }) => attributes['gen_ai.operation.name']?.stringValue === 'chat');
  expect(chat?.attributes).toMatchObject({
    'gen_ai.usage.output_tokens': { intValue: '4' },
    'gen_ai.request.max_tokens': { intValue: '4' },
  });
  expect(chat?.name).toBe(`chat ${chat?.attributes['gen_ai.request.model']?.stringValue}`);
});
