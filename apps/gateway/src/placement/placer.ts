import { status } from '@grpc/grpc-js';
import { Inject, Injectable } from '@nestjs/common';
import { GrpcStatusError } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import {
  type Adapter,
  type GenerationRequest,
  type KvSource,
  type Lease,
  type LeaseRelease,
  type PlacementExplanation,
  type PlaceRequest,
  type PlaceResponse,
  RefusalReason,
  type ServedModel,
} from '#lib/contracts';
import { APP_LOGGER, generationFields, type Logger, type RecordedSpan, type TraceContext } from '#lib/observability';
import { ApiError, fromRefusal } from '#lib/openai';
import { FleetView, type WorkerView } from '../fleet/fleet-view.js';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { failSpan } from '../observation/answer-span.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { pause } from './pause.js';
import { promptHashes } from './prompt-hashes.js';
import { type SchedulerLink, SchedulerLinks } from './scheduler-links.js';

/** Where a generation is to run. */
export interface Place {
  /** Empty when it was placed without a scheduler. */
  readonly leaseId: string;
  readonly workerId: string;
  readonly workerEpoch: number;
  readonly target: string;
  readonly kvSources: readonly KvSource[];
  /** `Lease.earlierUses`. */
  readonly earlierUses: readonly number[];
  /** `Lease.term`. */
  readonly leaseTerm: number;
  /** Gives the place back, once; says how it ended. */
  settle(end: Omit<LeaseRelease, 'leaseId'>): void;
}

export interface PlacementWish {
  readonly request: GenerationRequest;
  readonly served: ServedModel;
  /** Empty for none. */
  readonly sessionKey: string;
  /** When the client stops caring for a first token, in milliseconds since the Unix epoch; 0 for none. */
  readonly ttftDeadlineUnixMs: number;
  /** Set to be told why the scheduler chose what it chose. */
  readonly onPlaced: ((explanation: PlacementExplanation) => void) | undefined;
  /** How often it was placed before. */
  readonly attempt: number;
  /** Workers that just refused or lost it. */
  readonly avoidWorkerIds: readonly string[];
  /** Of the answer it is for. */
  readonly span: RecordedSpan;
}

/** The scheduler answers at its own limit; only when it does not, the call ends a little later. */
const ANSWER_MARGIN_MS = 2_000;

/** Before a scheduler is asked again that was just asked, while the schedulers do not agree: they do after one report of their workers. */
const REDIRECT_PAUSE_MS = 20;

/** How a call ends when no scheduler is there; CANCELLED by a connection that broke, since our own abort has its own reason. */
const IS_GONE: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.CANCELLED]);

/** Chosen: a scheduler, or a worker that was the only one, is started again within it; clients wait as for a cold start. */
const LONGEST_OUTAGE_MS = 10_000;
const OUTAGE_PAUSE_MS = 100;

/** Finds a worker for a generation: asks the scheduler of its model, and takes turns over the last known fleet when there is none. */
@Injectable()
export class Placer {
  private turn = 0;

  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    @Inject(APP_LOGGER) private readonly logger: Logger,
    private readonly schedulers: SchedulerLinks,
    private readonly fleet: FleetView,
    private readonly metrics: GatewayMetrics,
  ) {}

  /**
   * Waits in the scheduler's queue while there is no room, and for a scheduler while there is neither one nor a worker that could be
   * asked without; an aborted signal ends both.
   * @throws ApiError why there is no place; the signal's reason
   */
  async place(wish: PlacementWish, signal: AbortSignal): Promise<Place> {
    const askedAtMs = performance.now();
    const span = wish.span.child('place', 'client');
    if (wish.attempt > 0)
      span.set({ 'hydra.attempt': wish.attempt, 'hydra.avoided_workers': [...wish.avoidWorkerIds] });
    try {
      const place = await this.placeWithin(wish, span, askedAtMs, signal);
      span.set({ 'hydra.worker.id': place.workerId, 'hydra.lease.id': place.leaseId || undefined }).end();
      return place;
    } catch (error) {
      failSpan(span, error);
      throw error;
    } finally {
      this.metrics.waitedForPlace(wish.request.modelId, performance.now() - askedAtMs, span.exemplar);
    }
  }

  /** Asks again while there is neither a scheduler nor a worker that could be asked without one. */
  private async placeWithin(
    wish: PlacementWish,
    span: RecordedSpan,
    askedAtMs: number,
    signal: AbortSignal,
  ): Promise<Place> {
    for (;;) {
      const place = await this.placeOnce(wish, span, signal);
      if (!(place instanceof GrpcStatusError)) return place;
      if (performance.now() - askedAtMs >= LONGEST_OUTAGE_MS) {
        throw new ApiError('no_worker', 'No worker can be reached at present. Please try again later.', {
          cause: place,
        });
      }
      await pause(OUTAGE_PAUSE_MS, signal);
    }
  }

  /** @returns why no scheduler answered when no worker can be asked without one, either */
  private async placeOnce(
    wish: PlacementWish,
    span: RecordedSpan,
    signal: AbortSignal,
  ): Promise<Place | GrpcStatusError> {
    try {
      const timeoutMs = this.config.scheduler.queueTimeoutMs + ANSWER_MARGIN_MS;
      const prefixHashes = await promptHashes(wish.request, wish.served, this.adapterVersionOf(wish.request));
      const request = toPlaceRequest(wish, prefixHashes, span.traceContext);
      const { response, link } = await this.ask(request, timeoutMs, signal);
      const { outcome, explanation } = response;
      if (outcome?.$case === 'refused') throw fromRefusal(outcome.value);
      if (outcome?.$case !== 'lease')
        throw new ApiError('no_worker', 'The scheduler gave no answer that is understood here.');
      if (explanation !== undefined) wish.onPlaced?.(explanation);
      link.leases.hold(outcome.value.leaseId, outcome.value.leaseTtlMs);
      return toPlace(outcome.value, link);
    } catch (error) {
      if (!(error instanceof GrpcStatusError)) throw error;
      if (!IS_GONE.has(error.code)) throw toApiError(error);
      const place = this.placeWithoutScheduler(wish, error);
      if (place !== undefined) span.event('placed_without_scheduler');
      return place ?? error;
    }
  }

  /**
   * Asks the scheduler that places the model: the first of its order that answers, or whom that one names. One that is gone or going
   * is passed over, and what waited there asks again; one that no worker of the model has joined yet is asked last.
   * @throws GrpcStatusError when none answers
   */
  private async ask(request: PlaceRequest, timeoutMs: number, signal: AbortSignal) {
    // A machine that is gone does not refuse: one whose fleet is not heard of is asked last.
    const isUnheard = ({ target }: SchedulerLink) => Number(!this.fleet.hears(target));
    const order = this.schedulers.inOrder(request.modelId).sort((a, b) => isUnheard(a) - isUnheard(b));
    const untilMs = performance.now() + timeoutMs;
    const gone = new Set<SchedulerLink>();
    let withoutWorkers: SchedulerLink | undefined;
    let link = order[0]!; // there is at least one
    for (let redirects = 0; ; ) {
      const remainingMs = Math.ceil(untilMs - performance.now());
      if (remainingMs <= 0) throw new GrpcStatusError(status.DEADLINE_EXCEEDED, 'the schedulers name each other');
      // The last one is asked as if it were the only one: it lets requests wait for workers.
      const asksOthers = order.some((one) => one !== link && !gone.has(one));
      const response = await this.askOne(link, { ...request, asksOthers }, remainingMs, signal);
      if (!(response instanceof GrpcStatusError)) {
        const { outcome } = response;
        if (outcome?.$case !== 'redirect') return { response, link };
        if (outcome.value.target !== '') {
          // The one that is named may be gone, or not know yet that it is to place the model.
          if (redirects++ > 0) await pause(REDIRECT_PAUSE_MS, signal);
          const named = this.schedulers.to(outcome.value.target);
          if (gone.has(named))
            gone.clear(); // whoever names it must have seen it
          else link = named;
          continue;
        }
        withoutWorkers ??= link;
      }
      gone.add(link);
      const next = order.find((one) => !gone.has(one)) ?? withoutWorkers;
      if (response instanceof GrpcStatusError && (next === undefined || next === link)) throw response;
      link = next ?? link;
    }
  }

  /** @returns why there is no answer from a scheduler that is gone or going */
  private async askOne(
    { places }: SchedulerLink,
    request: PlaceRequest,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<PlaceResponse | GrpcStatusError> {
    try {
      const response = await places.place(request, timeoutMs, signal);
      const { outcome } = response;
      const isLeaving = outcome?.$case === 'refused' && outcome.value.reason === RefusalReason.SHUTTING_DOWN;
      return isLeaving ? new GrpcStatusError(status.UNAVAILABLE, 'the last scheduler is shutting down') : response;
    } catch (error) {
      if (error instanceof GrpcStatusError && IS_GONE.has(error.code)) return error;
      throw error;
    }
  }

  private placeWithoutScheduler({ request, avoidWorkerIds }: PlacementWish, cause: GrpcStatusError): Place | undefined {
    const candidates = this.fleet.workers.filter(
      (worker) =>
        this.fleet.isConnected(worker) &&
        !worker.member.report?.draining &&
        worker.member.registration?.models.some(({ modelId }) => modelId === request.modelId) &&
        (request.adapterId === '' || adapterOf(worker, request) !== undefined),
    );
    const fresh = candidates.filter(({ workerId }) => !avoidWorkerIds.includes(workerId));
    const pool = fresh.length > 0 ? fresh : candidates;
    const worker = pool[this.turn++ % Math.max(1, pool.length)];
    if (worker === undefined) return undefined;
    this.metrics.placedWithoutScheduler();
    const { workerId, workerEpoch, target } = worker;
    this.logger.info(
      { ...generationFields(request), worker_id: workerId, reason: cause.message },
      'placed without the scheduler',
    );
    return {
      leaseId: '',
      leaseTerm: 0,
      workerId,
      workerEpoch,
      target,
      kvSources: [],
      earlierUses: [],
      settle: () => {},
    };
  }

  /** Of a worker that has it: while it is replaced others may have another one, and their prefixes are not found. */
  private adapterVersionOf(request: GenerationRequest): string {
    if (request.adapterId === '') return '';
    for (const worker of this.fleet.workers) {
      const adapter = adapterOf(worker, request);
      if (adapter !== undefined) return adapter.version;
    }
    return '';
  }
}

/** What a scheduler that is there failed with; a fault of ours stays what it is. */
function toApiError(cause: GrpcStatusError): Error {
  switch (cause.code) {
    case status.DEADLINE_EXCEEDED:
      return new ApiError('wait_expired', 'No worker had room for the request in time. Please try again later.', {
        cause,
      });
    case status.RESOURCE_EXHAUSTED:
      return new ApiError('overloaded', 'The scheduler has too much to do. Please try again later.', { cause });
    default:
      return cause;
  }
}

function toPlaceRequest(wish: PlacementWish, prefixHashes: Buffer, trace: TraceContext): PlaceRequest {
  const { request, sessionKey, ttftDeadlineUnixMs, attempt, avoidWorkerIds } = wish;
  return {
    generationId: request.generationId,
    requestId: request.requestId,
    tenantId: request.tenantId,
    modelId: request.modelId,
    adapterId: request.adapterId,
    promptTokens: request.promptTokenIds.length,
    maxOutputTokens: (request.stop?.maxTokens ?? 0) * request.sequenceCount,
    prefixHashes,
    sessionKey,
    priority: request.priority,
    attempt,
    avoidWorkerIds: [...avoidWorkerIds],
    ttftDeadlineUnixMs,
    trace,
    explain: wish.onPlaced !== undefined,
    sequenceCount: request.sequenceCount,
    asksOthers: false, // set for each that is asked
  };
}

function toPlace(lease: Lease, { leases }: SchedulerLink): Place {
  const { leaseId, term, workerId, workerEpoch, target, kvSources, earlierUses } = lease;
  const settle = (end: Omit<LeaseRelease, 'leaseId'>) => leases.release({ ...end, leaseId });
  return { leaseId, leaseTerm: term, workerId, workerEpoch, target, kvSources, earlierUses, settle };
}

function adapterOf({ member }: WorkerView, { adapterId, modelId }: GenerationRequest): Adapter | undefined {
  return member.registration?.adapters.find((one) => one.adapterId === adapterId && one.modelId === modelId);
}
