import { type Metadata, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { Controller, Inject } from '@nestjs/common';
import { GrpcMethod, RpcException } from '@nestjs/microservices';
import type {
  PlaceRequest,
  PlaceResponse,
  ReleaseLeasesRequest,
  ReleaseLeasesResponse,
  RenewLeasesRequest,
  RenewLeasesResponse,
} from '#lib/contracts';
import { APP_LOGGER, generationFields, type Logger } from '#lib/observability';
import type { PlacementAnswer, PlacementRequest } from '#lib/placement';
import { fromPlaceRequest, InvalidPlaceRequestError } from './place-request.js';
import { toPlaceResponse } from './place-response.js';
import { PlacementDesk } from './placement-desk.js';

/** Outcomes of a lease that say that its worker did not take the generation. */
const NOT_HONOURED: ReadonlySet<string> = new Set(['refused', 'worker-lost']);

/** Before the call's deadline, so that a refusal arrives instead of a bare DEADLINE_EXCEEDED; at most a tenth of the wait. */
const ANSWER_MARGIN_MS = 50;

/** `hydra.internal.v1.Placement`. Methods go by the names of the generated definitions. */
@Controller()
export class PlacementController {
  constructor(
    private readonly desk: PlacementDesk,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {}

  @GrpcMethod('Placement', 'place')
  async place(
    wire: PlaceRequest,
    _metadata: Metadata,
    call: ServerUnaryCall<PlaceRequest, PlaceResponse>,
  ): Promise<PlaceResponse> {
    const request = parsed(wire);
    if (call.cancelled) throw new RpcException({ code: status.CANCELLED, message: 'the caller left' });
    const ticket = this.desk.place(request, longestWaitMs(call));
    const abandoned = new Promise<never>((_, reject) => {
      call.once('cancelled', () => {
        ticket.abandon();
        reject(new RpcException({ code: status.CANCELLED, message: 'the caller left' }));
      });
    });
    abandoned.catch(() => {}); // grpc-js says `cancelled` at the end of every call: mostly nobody listens any more
    const answer = await Promise.race([ticket.answer, abandoned]);
    this.log(wire, answer);
    const response = toPlaceResponse(answer, this.desk.leases.leaseTtlMs);
    if (response === undefined) {
      throw new RpcException({ code: status.ABORTED, message: 'the generation asked for a place again' });
    }
    return response;
  }

  @GrpcMethod('Placement', 'renewLeases')
  renewLeases({ leaseIds }: RenewLeasesRequest): RenewLeasesResponse {
    return { unknownLeaseIds: this.desk.renew(leaseIds) };
  }

  @GrpcMethod('Placement', 'releaseLeases')
  releaseLeases({ releases }: ReleaseLeasesRequest): ReleaseLeasesResponse {
    for (const { leaseId, ttftUs } of releases) if (ttftUs > 0) this.desk.noteFirstToken(leaseId, ttftUs / 1_000);
    const idsOf = (isHonoured: boolean) =>
      releases.filter(({ outcome }) => NOT_HONOURED.has(outcome) !== isHonoured).map(({ leaseId }) => leaseId);
    this.desk.release(idsOf(true), idsOf(false));
    return {};
  }

  private log(wire: PlaceRequest, answer: PlacementAnswer): void {
    const waited_ms = Math.round(answer.waitedMs * 1_000) / 1_000;
    const about = { ...generationFields(wire), model: wire.modelId, attempt: wire.attempt, waited_ms };
    if (answer.kind === 'placed') {
      const { strategy, lease } = answer;
      this.logger.debug({ ...about, strategy, worker: lease.workerId, lease: lease.leaseId }, 'request placed');
    } else {
      const { reason, message, retryAfterMs: retry_after_ms } = answer.refusal;
      this.logger.info({ ...about, reason, why: message, retry_after_ms }, 'request refused');
    }
  }
}

function parsed(wire: PlaceRequest): PlacementRequest {
  try {
    return fromPlaceRequest(wire);
  } catch (error) {
    if (!(error instanceof InvalidPlaceRequestError)) throw error;
    throw new RpcException({ code: status.INVALID_ARGUMENT, message: error.message });
  }
}

function longestWaitMs(call: ServerUnaryCall<PlaceRequest, PlaceResponse>): number {
  const remainingMs = Number(call.getDeadline()) - Date.now();
  return remainingMs - Math.min(ANSWER_MARGIN_MS, remainingMs / 10);
}
