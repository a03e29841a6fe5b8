import { status } from '@grpc/grpc-js';
import { Inject, Injectable } from '@nestjs/common';
import { GrpcStatusError } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import type {
  GenerationRequest,
  KvSource,
  Lease,
  PlacementExplanation,
  PlaceRequest,
  ServedModel,
} from '#lib/contracts';
import { hashBlocks, prefixSeed } from '#lib/kv';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { ApiError, fromRefusal } from '#lib/openai';
import { FleetView } from '../fleet/fleet-view.js';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { LeaseBook } from './lease-book.js';
import { SchedulerClient } from './scheduler-client.js';

/** Where a generation is to run. */
export interface Place {
  /** Empty when it was placed without a scheduler. */
  readonly leaseId: string;
  readonly workerId: string;
  readonly workerEpoch: number;
  readonly target: string;
  readonly kvSources: readonly KvSource[];
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
}

/** As many as `PlaceRequest.prefix_hashes` may hold. */
const MAX_PREFIX_HASHES = 4_096;
/** The scheduler answers at its own limit; only when it does not, the call ends a little later. */
const ANSWER_MARGIN_MS = 2_000;

/** How a call ends when no scheduler is there; CANCELLED by a connection that broke, since our own abort has its own reason. */
const IS_GONE: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.CANCELLED]);

/** Finds a worker for a generation: asks the scheduler, and takes turns over the last known fleet when there is none. */
@Injectable()
export class Placer {
  private turn = 0;

  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    @Inject(APP_LOGGER) private readonly logger: Logger,
    private readonly scheduler: SchedulerClient,
    private readonly leases: LeaseBook,
    private readonly fleet: FleetView,
    private readonly metrics: GatewayMetrics,
  ) {}

  /**
   * Waits in the scheduler's queue while there is no room; an aborted signal leaves the queue.
   * @throws ApiError why there is no place; the signal's reason
   */
  async place(wish: PlacementWish, signal: AbortSignal): Promise<Place> {
    const timeoutMs = this.config.scheduler.queueTimeoutMs + ANSWER_MARGIN_MS;
    const askedAtMs = performance.now();
    try {
      const { outcome, explanation } = await this.scheduler.places.place(this.toPlaceRequest(wish), timeoutMs, signal);
      if (outcome === undefined)
        throw new ApiError('no_worker', 'The scheduler gave no answer that is understood here.');
      if (outcome.$case === 'refused') throw fromRefusal(outcome.value);
      if (explanation !== undefined) wish.onPlaced?.(explanation);
      this.leases.hold(outcome.value.leaseId, outcome.value.leaseTtlMs);
      return toPlace(outcome.value);
    } catch (error) {
      if (!(error instanceof GrpcStatusError)) throw error;
      if (IS_GONE.has(error.code)) return this.placeWithoutScheduler(wish, error);
      throw toApiError(error);
    } finally {
      this.metrics.waitedForPlace(wish.request.modelId, performance.now() - askedAtMs);
    }
  }

  private placeWithoutScheduler({ request, avoidWorkerIds }: PlacementWish, cause: GrpcStatusError): Place {
    const candidates = this.fleet.workers.filter(
      (worker) =>
        this.fleet.isConnected(worker) &&
        worker.member.registration?.models.some(({ modelId }) => modelId === request.modelId),
    );
    const fresh = candidates.filter(({ workerId }) => !avoidWorkerIds.includes(workerId));
    const pool = fresh.length > 0 ? fresh : candidates;
    const worker = pool[this.turn++ % Math.max(1, pool.length)];
    if (worker === undefined) {
      throw new ApiError('no_worker', 'No worker can be reached at present. Please try again later.', { cause });
    }
    this.metrics.placedWithoutScheduler();
    const { workerId, workerEpoch, target } = worker;
    const about = { request_id: request.requestId, generation_id: request.generationId, worker_id: workerId };
    this.logger.info({ ...about, reason: cause.message }, 'placed without the scheduler');
    return { leaseId: '', workerId, workerEpoch, target, kvSources: [] };
  }

  private toPlaceRequest(wish: PlacementWish): PlaceRequest {
    const { request, served, sessionKey, ttftDeadlineUnixMs, attempt, avoidWorkerIds } = wish;
    return {
      generationId: request.generationId,
      requestId: request.requestId,
      tenantId: request.tenantId,
      modelId: request.modelId,
      adapterId: request.adapterId,
      promptTokens: request.promptTokenIds.length,
      maxOutputTokens: (request.stop?.maxTokens ?? 0) * request.sequenceCount,
      prefixHashes: prefixHashes(request, served),
      sessionKey,
      priority: request.priority,
      attempt,
      avoidWorkerIds: [...avoidWorkerIds],
      ttftDeadlineUnixMs,
      trace: request.trace,
      explain: wish.onPlaced !== undefined,
      sequenceCount: request.sequenceCount,
    };
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

function toPlace({ leaseId, workerId, workerEpoch, target, kvSources }: Lease): Place {
  return { leaseId, workerId, workerEpoch, target, kvSources };
}

function prefixHashes(request: GenerationRequest, served: ServedModel): Buffer[] {
  if (served.blockTokens === 0) return [];
  const { modelFingerprint, blockTokens } = served;
  const seed = prefixSeed({ modelFingerprint, adapterVersion: '', salt: request.cacheSalt });
  const ids = request.promptTokenIds.slice(0, MAX_PREFIX_HASHES * blockTokens);
  return hashBlocks(ids, blockTokens, seed).map((hash) => Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength));
}
