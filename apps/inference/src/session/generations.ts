import { Inject, Injectable } from '@nestjs/common';
import { FailureCode, type FrameEntry, type GenerationRequest, type GenerationUsage } from '#lib/contracts';
import { type EngineEvent, type EngineRefusal, type EngineTimeline, isRetryable } from '#lib/engine';
import { APP_LOGGER, type Logger, type RequestRecord, Tracing } from '#lib/observability';
import { EngineHost } from '../engine/engine-host.js';
import { KvFetcher } from '../kv/kv-fetcher.js';
import { addEngineSpans } from '../observation/engine-spans.js';
import { WorkerMetrics } from '../observation/worker-metrics.js';
import { WorkerIdentity } from '../worker-identity.js';
import { type GenerationReader, GenerationRun } from './generation-run.js';
import { LeaseTerms } from './lease-terms.js';

type Failure = Omit<EngineRefusal, 'kind'> & { readonly timeline?: EngineTimeline | undefined };

/** Cancellations that no failure is behind: of a client that left, or of what had its answer elsewhere. */
const HARMLESS_CANCELS: ReadonlySet<string> = new Set(['client-gone', 'superseded']);

/** The generations between gateways and engine: admits them, gives each step's entries to their gateways, ends them. */
@Injectable()
export class Generations {
  /** Takes nothing new from now on. */
  isDraining = false;
  private readonly runs = new Map<string, GenerationRun>();
  private readonly changeListeners: (() => void)[] = [];
  private idleWaiters: (() => void)[] = [];

  constructor(
    private readonly host: EngineHost,
    private readonly identity: WorkerIdentity,
    private readonly terms: LeaseTerms,
    private readonly metrics: WorkerMetrics,
    private readonly fetcher: KvFetcher,
    private readonly tracing: Tracing,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {
    host.onEvent((event) => this.receive(event));
  }

  get size(): number {
    return this.runs.size;
  }

  get ids(): Iterable<string> {
    return this.runs.keys();
  }

  /** Called whenever a generation came, had its first token or went. */
  onChange(listener: () => void): void {
    this.changeListeners.push(listener);
  }

  submit(reader: GenerationReader, submitted: GenerationRequest): void {
    const request = this.fetcher.withCaches(submitted);
    const run = new GenerationRun(request, reader, this.recordOf(request));
    const refusal = this.refusalOf(request);
    if (refusal !== undefined) {
      this.refuse(run, refusal);
      return;
    }
    this.runs.set(request.generationId, run);
    const outcome = this.host.engine.submit(request);
    if (outcome.kind === 'refused') {
      this.runs.delete(request.generationId);
      this.refuse(run, outcome);
      return;
    }
    const fields = { ...run.logFields, gateway_id: reader.gatewayId, prompt_tokens: request.promptTokenIds.length };
    this.logger.debug(fields, 'generation accepted');
    this.changed();
  }

  cancel(reader: GenerationReader, generationId: string, reason: string): void {
    const run = this.runs.get(generationId);
    if (run?.reader !== reader) return;
    this.logger.debug({ ...run.logFields, reason }, 'generation cancelled');
    run.record.root.set({ 'hydra.cancelled': reason });
    if (!HARMLESS_CANCELS.has(reason)) run.record.fail();
    this.host.engine.cancel(generationId, reason);
  }

  credit(reader: GenerationReader, generationId: string, tokens: number): void {
    if (this.runs.get(generationId)?.reader === reader) this.host.engine.credit(generationId, tokens);
  }

  /** The gateway is gone: nobody waits for its generations any more. */
  endAllOf(reader: GenerationReader): void {
    for (const run of this.runs.values()) {
      if (run.reader === reader) this.cancel(reader, run.generationId, 'gateway-gone');
    }
  }

  /** Ends what still runs with a retryable failure. */
  failAll(message: string): void {
    for (const run of [...this.runs.values()]) {
      this.host.engine.cancel(run.generationId, 'shutdown');
      this.failed(run, { code: FailureCode.DRAINING, message });
    }
  }

  /** Resolves when no generation runs. */
  async untilIdle(): Promise<void> {
    while (this.runs.size > 0) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  private refusalOf({ generationId, modelId, workerEpoch, leaseTerm }: GenerationRequest): EngineRefusal | undefined {
    const refused = (code: FailureCode, message: string): EngineRefusal => ({ kind: 'refused', code, message });
    if (this.isDraining) return refused(FailureCode.DRAINING, 'This worker is draining.');
    if (workerEpoch !== this.identity.epoch) {
      return refused(
        FailureCode.STALE_EPOCH,
        `The lease is for epoch ${workerEpoch} of this worker, which is in epoch ${this.identity.epoch}.`,
      );
    }
    if (this.terms.isPast(modelId, leaseTerm)) {
      return refused(FailureCode.STALE_EPOCH, 'Another scheduler has taken over the model since the lease was given.');
    }
    this.terms.note(modelId, leaseTerm);
    if (this.runs.has(generationId)) {
      // Its gateway has been away and comes back with it before the engine has let go of it.
      const message = `The generation ${generationId} has not left the engine yet.`;
      return { ...refused(FailureCode.SATURATED, message), retryAfterMs: 50 };
    }
    if (this.host.phase !== 'running') {
      return { ...refused(FailureCode.ENGINE_ERROR, 'The engine is not ready.'), retryAfterMs: 1_000 };
    }
    return undefined;
  }

  private receive(event: EngineEvent): void {
    switch (event.kind) {
      case 'step':
        this.step(event.step, event.entries);
        break;
      case 'finished': {
        const run = this.runs.get(event.generationId);
        if (run !== undefined) this.finished(run, event.usage, event.timeline);
        break;
      }
      case 'failed': {
        const run = this.runs.get(event.generationId);
        if (run !== undefined) this.failed(run, event);
        break;
      }
      case 'blocks-wanted': {
        const run = this.runs.get(event.generationId);
        if (run === undefined) this.host.engine.endBlocks(event.generationId);
        else this.fetcher.begin({ request: run.request, parent: run.record.root }, event.wanted);
        break;
      }
      case 'prefix':
      case 'adapters':
      case 'engine-lost':
        break;
      default:
        event satisfies never;
    }
  }

  /** One frame for each gateway that has sequences in the step and wants to hear of it now. */
  private step(step: number, entries: readonly FrameEntry[]): void {
    const nowMs = performance.now();
    const byReader = new Map<GenerationReader, FrameEntry[]>();
    let hasComputedPrompt = false;
    for (const entry of entries) {
      const run = this.runs.get(entry.generationId);
      if (run === undefined) continue; // given up here, not yet in the engine
      const tokens = run.tokensCame(entry, nowMs);
      this.metrics.noteTokens(tokens, run.record.exemplar);
      hasComputedPrompt ||= tokens?.isFirst === true;
      if (entry.finishReason > 0) this.metrics.noteSequenceEnd(entry.finishReason);
      const due = run.gatherer.take(entry);
      if (due === undefined) continue;
      const own = byReader.get(run.reader);
      if (own === undefined) byReader.set(run.reader, [due]);
      else own.push(due);
    }
    for (const [reader, own] of byReader) reader.frame(step, own);
    if (hasComputedPrompt) this.changed(); // there is room for another one
  }

  private recordOf({ trace, requestId, tenantId, generationId, modelId, promptTokenIds, leaseId }: GenerationRequest) {
    const record = this.tracing.beginWork({ trace, requestId, tenantId, generationId }, 'generate');
    const { workerId } = this.identity;
    record.root.set({
      'gen_ai.request.model': modelId,
      'gen_ai.usage.input_tokens': promptTokenIds.length,
      'hydra.worker.id': workerId,
      'hydra.lease.id': leaseId || undefined,
    });
    return record;
  }

  private finished(run: GenerationRun, usage: GenerationUsage, timeline: EngineTimeline | undefined): void {
    this.forget(run);
    const { root } = run.record;
    if (timeline !== undefined) {
      addEngineSpans(root, timeline);
      this.fetcher.noteComputed(timeline);
    }
    root.set({
      'gen_ai.usage.output_tokens': usage.completionTokens,
      'gen_ai.usage.cache_read.input_tokens': usage.cachedPromptTokens,
    });
    run.record.close();
    run.reader.finished({ generationId: run.generationId, usage });
    this.metrics.noteFinished(usage, run.elapsedSeconds(), run.record.exemplar);
    this.logger.debug(
      { ...run.logFields, tokens: usage.completionTokens, seconds: run.elapsedSeconds() },
      'generation finished',
    );
  }

  private failed(run: GenerationRun, failure: Failure): void {
    this.forget(run);
    this.refuse(run, failure);
  }

  private refuse(run: GenerationRun, { code, message, parameter = '', retryAfterMs = 0, timeline }: Failure): void {
    endFailed(run.record, { code, message, timeline });
    const { generationId } = run;
    run.reader.failed({ generationId, code, retryable: isRetryable(code), message, parameter, retryAfterMs });
    this.metrics.noteFailure(code);
    const level = code === FailureCode.ENGINE_ERROR ? 'error' : 'info';
    this.logger[level]({ ...run.logFields, failure: FailureCode[code], parameter }, `generation failed: ${message}`);
  }

  private forget(run: GenerationRun): void {
    this.runs.delete(run.generationId);
    this.fetcher.cancel(run.generationId);
    if (this.runs.size === 0) for (const waiter of this.idleWaiters.splice(0)) waiter();
    this.changed();
  }

  private changed(): void {
    for (const listener of this.changeListeners) listener();
  }
}

/** What the request itself is to blame for is named, not told: it may hold a client's words. */
function endFailed(record: RequestRecord, { code, message, timeline }: Failure): void {
  if (timeline !== undefined) addEngineSpans(record.root, timeline);
  const type = (FailureCode[code] ?? 'UNKNOWN').toLowerCase();
  record.root.fail({ type, message: code === FailureCode.INVALID_REQUEST ? '' : message });
  record.close();
}
