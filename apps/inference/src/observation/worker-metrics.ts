import { Injectable } from '@nestjs/common';
import { Counter, Gauge, type Histogram, type Metric } from 'prom-client';
import { FailureCode, FinishReason, type GenerationUsage } from '#lib/contracts';
import { Engine, type EngineState } from '#lib/engine';
import { type Exemplar, histogramWithExemplars, LATENCY_BUCKETS_SECONDS, observe, ownedName } from '#lib/observability';
import { WorkerIdentity } from '../worker-identity.js';
import { aliasMetric } from './metric-alias.js';

const MODEL_LABEL = { model: 'model_name' };

/** The worker's metrics under our names, and under vLLM's where it has the same. Names are an interface: docs/worker.md. */
@Injectable()
export class WorkerMetrics {
  private readonly firstToken: Histogram<'model'>;
  private readonly betweenTokens: Histogram<'model'>;
  private readonly duration: Histogram<'model'>;
  private readonly queued: Histogram<'model'>;
  private readonly sequenceEnds: Counter<'model' | 'finished_reason'>;
  private readonly failures: Counter<'model' | 'code'>;
  private readonly model: string;

  constructor(identity: WorkerIdentity, engine: Engine) {
    this.model = identity.model.id;
    this.firstToken = this.histogram(
      'hydra_worker_time_to_first_token_seconds',
      'Time from arrival at the worker to the first token of a sequence, in seconds.',
      'vllm:time_to_first_token_seconds',
    );
    this.betweenTokens = this.histogram(
      'hydra_worker_inter_token_latency_seconds',
      'Time between two tokens of a sequence, in seconds.',
      'vllm:inter_token_latency_seconds',
    );
    this.duration = this.histogram(
      'hydra_worker_generation_seconds',
      'Time from arrival at the worker to the end of a generation, in seconds.',
      'vllm:e2e_request_latency_seconds',
    );
    this.queued = this.histogram(
      'hydra_worker_queue_seconds',
      'Time from arrival at the worker to the first step, in seconds.',
      'vllm:request_queue_time_seconds',
    );
    this.sequenceEnds = new Counter({
      name: ownedName('hydra_worker_sequences_total'),
      help: 'Sequences that ended normally, by finish reason.',
      labelNames: ['model', 'finished_reason'] as const,
    });
    aliasMetric(this.sequenceEnds, 'hydra_worker_sequences_total', 'vllm:request_success_total', MODEL_LABEL);
    this.failures = new Counter({
      name: ownedName('hydra_worker_failures_total'),
      help: 'Generations refused or broken off, by failure code.',
      labelNames: ['model', 'code'] as const,
    });
    this.readFrom(engine);
  }

  /** What a sequence's tokens took to come. */
  noteTokens(came: { readonly isFirst: boolean; readonly seconds: number } | undefined, exemplar: Exemplar): void {
    if (came === undefined) return;
    observe(came.isFirst ? this.firstToken : this.betweenTokens, { model: this.model }, came.seconds, exemplar);
  }

  noteSequenceEnd(reason: FinishReason): void {
    this.sequenceEnds.inc({ model: this.model, finished_reason: FinishReason[reason].toLowerCase() });
  }

  noteFinished(usage: GenerationUsage, seconds: number, exemplar: Exemplar): void {
    observe(this.duration, { model: this.model }, seconds, exemplar);
    observe(this.queued, { model: this.model }, usage.queueUs / 1e6, exemplar);
  }

  noteFailure(code: FailureCode): void {
    this.failures.inc({ model: this.model, code: FailureCode[code].toLowerCase() });
  }

  private readFrom(engine: Engine): void {
    type Read = (state: EngineState) => number;
    const gauge = (name: string, help: string, read: Read, alias?: string) =>
      this.sampled(Gauge, name, help, () => read(engine.state()), alias);
    const total = (name: string, help: string, read: Read, alias?: string) =>
      this.sampled(Counter, name, help, () => read(engine.state()), alias);

    gauge(
      'hydra_worker_running_generations',
      'Generations in the running batch.',
      (state) => state.runningGenerations,
      'vllm:num_requests_running',
    );
    gauge(
      'hydra_worker_waiting_generations',
      'Generations accepted that wait for a place in the batch.',
      (state) => state.waitingGenerations,
      'vllm:num_requests_waiting',
    );
    gauge(
      'hydra_worker_pending_prefill_tokens',
      'Prompt tokens accepted and not yet computed.',
      (state) => state.pendingPrefillTokens,
    );
    gauge('hydra_worker_kv_used_bytes', 'Attention state that sequences have, in bytes.', (state) => state.kvUsedBytes);
    gauge(
      'hydra_worker_kv_cached_bytes',
      'Attention state of prefixes that are kept, in bytes; sequences get it when they need it.',
      (state) => state.kvCachedBytes,
    );
    gauge('hydra_worker_kv_bytes', 'Memory for attention state, in bytes.', (state) => state.kvTotalBytes);
    gauge(
      'hydra_worker_kv_usage_ratio',
      'Share of the memory for attention state that sequences have, 0 to 1.',
      (state) => (state.kvTotalBytes > 0 ? state.kvUsedBytes / state.kvTotalBytes : 0),
      'vllm:kv_cache_usage_perc',
    );
    total(
      'hydra_worker_prompt_tokens_total',
      'Tokens of prompts, computed or found cached.',
      (state) => state.computedPromptTokens + state.cachedPromptTokens,
      'vllm:prompt_tokens_total',
    );
    total(
      'hydra_worker_generated_tokens_total',
      'Tokens generated.',
      (state) => state.generatedTokens,
      'vllm:generation_tokens_total',
    );
    total(
      'hydra_worker_preemptions_total',
      'Sequences that lost their KV for lack of memory, to be computed again later.',
      (state) => state.preemptions,
      'vllm:num_preemptions_total',
    );
    total(
      'hydra_worker_prefix_queried_tokens_total',
      'Prompt tokens looked up in the prefix store.',
      (state) => state.queriedPromptTokens,
      'vllm:prefix_cache_queries_total',
    );
    total(
      'hydra_worker_prefix_hit_tokens_total',
      'Prompt tokens found in the prefix store.',
      (state) => state.cachedPromptTokens,
      'vllm:prefix_cache_hits_total',
    );
    total(
      'hydra_worker_prefix_evicted_blocks_total',
      'Blocks of kept prefixes that went to make room.',
      (state) => state.evictedPrefixBlocks,
    );
    total('hydra_worker_steps_total', 'Steps of the engine.', (state) => state.steps);
    total('hydra_worker_step_seconds_total', 'Time spent in steps, in seconds.', (state) => state.stepUs / 1e6);
    total('hydra_worker_model_seconds_total', 'Time of it in the model, in seconds.', (state) => state.modelUs / 1e6);
  }

  private histogram(name: string, help: string, alias: string): Histogram<'model'> {
    const labelNames = ['model'] as const;
    const buckets = LATENCY_BUCKETS_SECONDS;
    const histogram = histogramWithExemplars({ name: ownedName(name), help, labelNames, buckets });
    aliasMetric(histogram, name, alias, MODEL_LABEL);
    return histogram;
  }

  /** A metric that is read at each scrape. */
  private sampled(
    Kind: typeof Gauge | typeof Counter,
    name: string,
    help: string,
    read: () => number,
    alias?: string,
  ): void {
    const { model } = this;
    const metric: Metric = new Kind({
      name: ownedName(name),
      help,
      labelNames: ['model'],
      collect(this: Gauge | Counter) {
        this.reset();
        this.inc({ model }, read());
      },
    });
    if (alias !== undefined) aliasMetric(metric, name, alias, MODEL_LABEL);
  }
}
