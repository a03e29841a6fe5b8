/** The section `tracing` of the configuration. */
export interface TraceOptions {
  readonly endpoint?: string | undefined;
  readonly tracesUrl?: string | undefined;
  readonly disabled: boolean;
  readonly sampler: `${'' | 'parentbased_'}${'always_on' | 'always_off'}` | 'traceidratio' | 'parentbased_traceidratio';
  readonly sampleRatio: number;
  readonly queueSpans: number;
  readonly batchSpans: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly recorderBytes: number;
}

/** Where traces go; undefined when they go nowhere. */
export function tracesUrlOf({ endpoint, tracesUrl, disabled }: TraceOptions): string | undefined {
  if (disabled) return undefined;
  if (tracesUrl) return tracesUrl;
  return endpoint ? `${endpoint.replace(/\/+$/, '')}/v1/traces` : undefined;
}
