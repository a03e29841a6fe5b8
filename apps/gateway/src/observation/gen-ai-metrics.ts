import { Injectable } from '@nestjs/common';
import { register } from 'prom-client';
import { type Exemplar, histogramWithExemplars, observe, type SeriesHistogram } from '#lib/observability';
import { type GenAiOperation, PROVIDER } from './answer-span.js';

/** How a request ended, as OpenTelemetry's conventions for GenAI servers see it. */
export interface EndedRequest {
  readonly operation: GenAiOperation;
  /** The model that answered: names of clients would be labels without bound. */
  readonly model: string;
  readonly durationMs: number;
  /** A condition of the error table; absent for a whole answer. */
  readonly errorType?: string | undefined;
  /** From arrival to the first token; absent when there was none. */
  readonly firstTokenMs?: number | undefined;
  /** Tokens of one choice; absent when the answer is not whole. */
  readonly outputTokens?: number | undefined;
  readonly exemplar: Exemplar;
}

type Label = 'gen_ai_operation_name' | 'gen_ai_provider_name' | 'gen_ai_request_model' | 'error_type';

/** Buckets that the conventions name for each: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/ */
const DURATION_BUCKETS_SECONDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const FIRST_TOKEN_BUCKETS_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
const OUTPUT_TOKEN_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];

/** `gen_ai.server.*` under the names that Prometheus gives them. */
@Injectable()
export class GenAiMetrics {
  private readonly duration = histogram(
    'gen_ai_server_request_duration_seconds',
    'From arrival to the end of the answer; gen_ai.server.request.duration.',
    DURATION_BUCKETS_SECONDS,
  );
  private readonly firstToken = histogram(
    'gen_ai_server_time_to_first_token_seconds',
    'From arrival to the first token; gen_ai.server.time_to_first_token.',
    FIRST_TOKEN_BUCKETS_SECONDS,
  );
  private readonly perOutputToken = histogram(
    'gen_ai_server_time_per_output_token_seconds',
    'Mean time of a token after the first, of whole answers; gen_ai.server.time_per_output_token.',
    OUTPUT_TOKEN_BUCKETS_SECONDS,
  );

  ended({ operation, model, durationMs, errorType, firstTokenMs, outputTokens, exemplar }: EndedRequest): void {
    const labels = {
      gen_ai_operation_name: operation,
      gen_ai_provider_name: PROVIDER,
      gen_ai_request_model: model,
    };
    const ended = errorType === undefined ? labels : { ...labels, error_type: errorType };
    observe(this.duration, ended, durationMs / 1_000, exemplar);
    if (firstTokenMs === undefined) return;
    observe(this.firstToken, labels, firstTokenMs / 1_000, exemplar);
    if (outputTokens === undefined || outputTokens <= 1) return;
    const seconds = (durationMs - firstTokenMs) / 1_000 / (outputTokens - 1);
    observe(this.perOutputToken, labels, seconds, exemplar);
  }
}

function histogram(name: string, help: string, buckets: number[]): SeriesHistogram<Label> {
  const labelNames = ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model', 'error_type'] as const;
  const known = register.getSingleMetric(name) as SeriesHistogram<Label> | undefined; // one per process
  return known ?? histogramWithExemplars({ name, help, labelNames, buckets });
}
