import type { TraceOptions } from '../src/tracing/trace-options.js';

/** As the configuration has them by default, but for what is given. */
export function traceOptions(given: Partial<TraceOptions> = {}): TraceOptions {
  return {
    ...{ disabled: false, sampler: 'parentbased_traceidratio', sampleRatio: 0.01 },
    ...{ queueSpans: 2_048, batchSpans: 512, intervalMs: 20, timeoutMs: 10_000, recorderBytes: 1024 * 1024 },
    ...given,
  };
}

export const TEST_SERVICE = { name: 'hydra-test', version: '0.0.0', instanceId: 'test-0' };
