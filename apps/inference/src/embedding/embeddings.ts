import { Inject, Injectable } from '@nestjs/common';
import { type EmbedRequest, type EmbedResponse, FailureCode } from '#lib/contracts';
import { type EngineRefusal, isRetryable } from '#lib/engine';
import { APP_LOGGER, type Exemplar, generationFields, type Logger, Tracing } from '#lib/observability';
import { EngineHost } from '../engine/engine-host.js';
import { WorkerMetrics } from '../observation/worker-metrics.js';
import { Generations } from '../session/generations.js';
import { WorkerIdentity } from '../worker-identity.js';
import { toEmbedded } from './to-embedded.js';

/** Longest delay a timer of Node takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

type Failure = Omit<EngineRefusal, 'kind'>;

/** The requests for embeddings between gateways and engine: admits them, ends them in time, tells who is there. */
@Injectable()
export class Embeddings {
  private readonly calls = new Map<string, AbortController>();
  private readonly changeListeners: (() => void)[] = [];
  private idleWaiters: (() => void)[] = [];

  constructor(
    private readonly host: EngineHost,
    private readonly identity: WorkerIdentity,
    private readonly generations: Generations,
    private readonly metrics: WorkerMetrics,
    private readonly tracing: Tracing,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {}

  get size(): number {
    return this.calls.size;
  }

  get ids(): Iterable<string> {
    return this.calls.keys();
  }

  /** Called whenever a request came or went. */
  onChange(listener: () => void): void {
    this.changeListeners.push(listener);
  }

  /** Never rejects: every refusal is an answer. @param signal  aborts when the gateway has cancelled the call */
  async embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedResponse> {
    const { trace, requestId, tenantId, embeddingId: generationId, modelId } = request;
    const record = this.tracing.beginWork({ trace, requestId, tenantId, generationId }, 'embed');
    record.root.set({ 'gen_ai.request.model': modelId, 'hydra.worker.id': this.identity.workerId });
    const response = await this.answer(request, signal, record.exemplar);
    if (response.outcome?.$case === 'failed') {
      record.root.fail({ type: FailureCode[response.outcome.value.code]?.toLowerCase() ?? 'unknown', message: '' });
    }
    record.close();
    return response;
  }

  private async answer(request: EmbedRequest, signal: AbortSignal, exemplar: Exemplar): Promise<EmbedResponse> {
    const refusal = this.refusalOf(request);
    if (refusal !== undefined) return this.refuse(request, refusal);
    const call = new AbortController();
    const cancel = () => call.abort(failure(FailureCode.UNSPECIFIED, 'The gateway cancelled the request.'));
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    const timer = this.limit(request.deadlineUnixMs, call);
    this.calls.set(request.embeddingId, call);
    this.changed();
    const arrivedAtMs = performance.now();
    try {
      call.signal.throwIfAborted();
      const { modelId } = request;
      const inputs = request.inputs.map(({ tokenIds }) => tokenIds);
      const outcome = await this.host.engine.embed({ modelId, inputs }, call.signal);
      if (outcome.kind === 'refused') return this.refuse(request, outcome);
      this.metrics.noteFinished(outcome.usage, (performance.now() - arrivedAtMs) / 1_000, exemplar);
      return { outcome: { $case: 'embedded', value: toEmbedded(outcome) } };
    } catch (error) {
      if (call.signal.aborted) return this.refuse(request, call.signal.reason as Failure); // only `failure`s abort it
      const message = error instanceof Error ? error.message : String(error);
      return this.refuse(request, failure(FailureCode.ENGINE_ERROR, `The engine failed: ${message}`));
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
      this.calls.delete(request.embeddingId);
      if (this.calls.size === 0) for (const waiter of this.idleWaiters.splice(0)) waiter();
      this.changed();
    }
  }

  /** Ends what still runs with a retryable failure. */
  failAll(message: string): void {
    for (const call of this.calls.values()) call.abort(failure(FailureCode.DRAINING, message));
  }

  /** Resolves when no request runs. */
  async untilIdle(): Promise<void> {
    while (this.calls.size > 0) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  private limit(deadlineUnixMs: number, call: AbortController): NodeJS.Timeout | undefined {
    if (deadlineUnixMs === 0) return undefined;
    const remainingMs = deadlineUnixMs - Date.now();
    const expire = () =>
      call.abort(failure(FailureCode.DEADLINE_EXCEEDED, "The request's deadline passed before it was embedded."));
    if (remainingMs > 0) return setTimeout(expire, Math.min(LONGEST_TIMER_MS, remainingMs));
    expire();
    return undefined;
  }

  private refusalOf({ embeddingId, workerEpoch }: EmbedRequest): Failure | undefined {
    if (this.generations.isDraining) return failure(FailureCode.DRAINING, 'This worker is draining.');
    const { epoch } = this.identity;
    if (workerEpoch !== epoch) {
      const message = `The lease is for epoch ${workerEpoch} of this worker, which is in epoch ${epoch}.`;
      return failure(FailureCode.STALE_EPOCH, message);
    }
    if (this.calls.has(embeddingId)) {
      return failure(FailureCode.INVALID_REQUEST, `The request ${embeddingId} is running already.`);
    }
    if (this.host.phase !== 'running') {
      return { ...failure(FailureCode.ENGINE_ERROR, 'The engine is not ready.'), retryAfterMs: 1_000 };
    }
    return undefined;
  }

  private refuse(
    { embeddingId: generationId, requestId, tenantId, trace }: EmbedRequest,
    { code, message, parameter = '', retryAfterMs = 0 }: Failure,
  ): EmbedResponse {
    this.metrics.noteFailure(code);
    const level = code === FailureCode.ENGINE_ERROR ? 'error' : 'info';
    const about = generationFields({ generationId, requestId, tenantId, trace });
    const fields = { ...about, failure: FailureCode[code], parameter };
    this.logger[level](fields, `embedding failed: ${message}`);
    const value = { generationId, code, retryable: isRetryable(code), message, parameter, retryAfterMs };
    return { outcome: { $case: 'failed', value } };
  }

  private changed(): void {
    for (const listener of this.changeListeners) listener();
  }
}

function failure(code: FailureCode, message: string): Failure {
  return { code, message };
}
