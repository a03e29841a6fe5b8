import { Inject, Injectable } from '@nestjs/common';
import type { GenerationEvent, GenerationFailure, GenerationStream } from '#lib/channels';
import {
  FailureCode,
  type FrameEntry,
  type GenerationRequest,
  type GenerationUsage,
  type PlacementExplanation,
  type ServedModel,
} from '#lib/contracts';
import { APP_LOGGER, generationFields, type Logger, type RecordedSpan } from '#lib/observability';
import { ApiError, fromWorkerFailure } from '#lib/openai';
import { FleetView } from '../fleet/fleet-view.js';
import { workerSpanError } from '../observation/answer-span.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { Attempts } from './attempts.js';
import { type Place, Placer } from './placer.js';

export interface GenerationJob {
  readonly request: GenerationRequest;
  readonly served: ServedModel;
  readonly sessionKey: string;
  /** When the client stops caring for a first token, in milliseconds since the Unix epoch; 0 for none. */
  readonly ttftDeadlineUnixMs: number;
  /** Set to be told why the scheduler chose what it chose. */
  readonly onPlaced: ((explanation: PlacementExplanation) => void) | undefined;
  /** Its reason is the ApiError that the client would see, or a SiblingFailedError. */
  readonly signal: AbortSignal;
  /** Of the answer: attempts are within it. */
  readonly span: RecordedSpan;
}

/** Another generation of the same request failed: nobody can use this one any more. */
export class SiblingFailedError extends Error {
  override readonly name = 'SiblingFailedError';
}

/** Takes what a step gave; a promise says when the reader can take more. */
export type Deliver = (entries: readonly FrameEntry[]) => Promise<void> | undefined;

type GenerationEnd = Exclude<GenerationEvent, { kind: 'entries' }>;

type Outcome =
  | { readonly kind: 'finished'; readonly usage: GenerationUsage }
  | { readonly kind: 'failed'; readonly failure: GenerationFailure };

const NO_USAGE: GenerationUsage = {
  ...{ promptTokens: 0, completionTokens: 0, cachedPromptTokens: 0 },
  ...{ queueUs: 0, prefillUs: 0, decodeUs: 0 },
};

/** Runs one generation to its end: place, submit, stream, settle; and again elsewhere while nothing was delivered. */
@Injectable()
export class GenerationRunner {
  constructor(
    private readonly placer: Placer,
    private readonly fleet: FleetView,
    private readonly metrics: GatewayMetrics,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {}

  /** @throws ApiError when it cannot be finished; the signal's reason when it aborts */
  async run(job: GenerationJob, deliver: Deliver): Promise<GenerationUsage> {
    const { request, served, sessionKey, ttftDeadlineUnixMs, onPlaced, signal, span } = job;
    const wanted = { request, served, sessionKey, ttftDeadlineUnixMs, onPlaced, span };
    const attempts = new Attempts();
    const { avoidWorkerIds } = attempts;
    for (;;) {
      const place = await this.placer.place({ ...wanted, attempt: attempts.failed, avoidWorkerIds }, signal);
      const outcome = await this.attempt(place, job, deliver);
      if (outcome.kind === 'finished') return outcome.usage;
      const { failure } = outcome;
      if (!failure.isRetryable || !attempts.mayFollow(failure.code)) throw fromWorkerFailure(failure);
      const { workerId } = place;
      const about = { worker_id: workerId, reason: failure.message, attempt: attempts.failed };
      this.logger.warn({ ...generationFields(request), ...about }, 'placing again');
      this.metrics.repeatedPlacement(FailureCode[failure.code] ?? 'UNKNOWN');
      await attempts.passOver(workerId, failure.retryAfterMs, signal);
    }
  }

  /** One attempt. An abort ends it for the caller at once; what the worker used is settled when the worker has said it. */
  private attempt(place: Place, { request, signal, span: parent }: GenerationJob, deliver: Deliver): Promise<Outcome> {
    if (signal.aborted) {
      this.settle(place, 'cancelled', undefined, 0, parent);
      return Promise.reject(signal.reason);
    }
    const { leaseId, leaseTerm, workerEpoch } = place;
    const kvSources = [...place.kvSources];
    const earlierUses = [...place.earlierUses];
    const span = parent.child('generate', 'client').set({ 'hydra.worker.id': place.workerId });
    const trace = span.traceContext;
    const stream = this.fleet
      .session(place.target)
      .submit({ ...request, leaseId, leaseTerm, workerEpoch, kvSources, earlierUses, trace });
    return new Promise((resolve, reject) => {
      const abort = () => {
        const reason = cancelReason(signal.reason);
        stream.cancel(reason);
        span.set({ 'hydra.cancelled': reason }).end();
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
      this.follow(stream, place, signal, deliver, span)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', abort));
    });
  }

  /** Reads to the end and settles, once. */
  private async follow(
    stream: GenerationStream,
    place: Place,
    signal: AbortSignal,
    deliver: Deliver,
    span: RecordedSpan,
  ): Promise<Outcome> {
    const submittedAtMs = performance.now();
    let ttftUs = 0;
    let end: GenerationEnd;
    try {
      end = await readToEnd(stream, (entries) => {
        if (ttftUs === 0) ttftUs = Math.round((performance.now() - submittedAtMs) * 1_000);
        return signal.aborted ? undefined : deliver(entries);
      });
    } catch (error) {
      stream.cancel('superseded');
      span.set({ 'hydra.cancelled': 'superseded' }).end();
      this.settle(place, 'failed', undefined, ttftUs, span);
      throw error;
    }
    if (end.kind === 'failed') {
      span.fail(workerSpanError(end.failure));
      this.settle(place, outcomeWord(end.failure), undefined, ttftUs, span);
      return end;
    }
    this.settle(place, signal.aborted ? 'cancelled' : 'finished', end.usage, ttftUs, span);
    span.end();
    return { kind: 'finished', usage: end.usage ?? NO_USAGE };
  }

  private settle(
    place: Place,
    outcome: string,
    usage: GenerationUsage | undefined,
    ttftUs: number,
    { isTraceKept }: RecordedSpan,
  ): void {
    place.settle({ outcome, usage, ttftUs, keepTrace: isTraceKept });
  }
}

/**
 * Rejects with what `deliver` throws or rejects with. The session calls the reader between those of other generations, so the reader itself
 * never throws, and what follows the end is left to who awaits it.
 */
function readToEnd(stream: GenerationStream, deliver: Deliver): Promise<GenerationEnd> {
  return new Promise((resolve, reject) => {
    const readOn = () => stream.next(take);
    const take = (event: GenerationEvent) => {
      if (event.kind !== 'entries') {
        resolve(event);
        return;
      }
      try {
        const slow = deliver(event.entries);
        if (slow === undefined) readOn();
        else slow.then(readOn).catch(reject);
      } catch (error) {
        reject(error);
      }
    };
    readOn();
  });
}

function outcomeWord({ code, isRetryable }: GenerationFailure): string {
  if (code === FailureCode.WORKER_LOST) return 'worker-lost';
  return isRetryable ? 'refused' : 'failed';
}

/** `Cancel.reason` of the protocol. */
function cancelReason(reason: unknown): string {
  if (reason instanceof SiblingFailedError) return 'sibling-failed';
  const condition = reason instanceof ApiError ? reason.condition : undefined;
  if (condition === 'deadline_exceeded') return 'deadline';
  return condition === 'draining' ? 'shutdown' : 'client-gone';
}
