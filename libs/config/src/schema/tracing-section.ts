import { z } from 'zod';
import { count, milliseconds } from './quantities.js';

export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/** Variables have the names of the OpenTelemetry specification, so that what a cluster sets for all its services counts here. */
export const tracingSchema = z.strictObject({
  endpoint: z.string().optional().meta({
    description:
      'Collector that takes traces by OTLP over HTTP, for example `http://collector:4318`; `/v1/traces` is added. Without one nothing is sent.',
    env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
  }),
  tracesUrl: z.string().optional().meta({
    description: 'The same as a whole URL, to which nothing is added; wins over `endpoint`.',
    env: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  }),
  disabled: z
    .boolean()
    .default(false)
    .meta({ description: 'Nothing is sent, whatever else is set.', env: 'OTEL_SDK_DISABLED' }),
  sampler: z.enum(SAMPLERS).default('parentbased_traceidratio').meta({
    description:
      "Which traces are sampled; `parentbased_…` follows the flag of the client's `traceparent` where there is one.",
    env: 'OTEL_TRACES_SAMPLER',
  }),
  sampleRatio: z.number().min(0).max(1).default(0.01).meta({
    description: 'Share of the traces that `…traceidratio` samples, 0 to 1. Requests that fail are kept beside them.',
    env: 'OTEL_TRACES_SAMPLER_ARG',
  }),
  queueSpans: count.default(2_048).meta({
    description: 'Spans that may wait to be sent; further ones are dropped and counted.',
    env: 'OTEL_BSP_MAX_QUEUE_SIZE',
  }),
  batchSpans: count
    .default(512)
    .meta({ description: 'Most spans sent at once.', env: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE' }),
  intervalMs: milliseconds.default(5_000).meta({
    description: 'Longest time that a span waits to be sent, in milliseconds.',
    env: 'OTEL_BSP_SCHEDULE_DELAY',
  }),
  timeoutMs: milliseconds.default(10_000).meta({
    description: 'Time that the collector has to take a batch, retries included, in milliseconds.',
    env: 'OTEL_EXPORTER_OTLP_TIMEOUT',
  }),
  recorderBytes: z
    .number()
    .int()
    .min(0)
    .default(16 * 1024 * 1024)
    .meta({
      description:
        'Memory of the flight recorder of each app, in bytes: what it remembers of its last requests, without prompts or texts; 0 switches it off.',
      env: 'HYDRA_RECORDER_BYTES',
    }),
});
