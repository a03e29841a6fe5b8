import { type Metadata, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall, RpcException } from '@nestjs/microservices';
import type {
  LeaseRelease,
  PlaceRequest,
  PlaceResponse,
  ReleaseLeasesRequest,
  ReleaseLeasesResponse,
  RenewLeasesRequest,
  RenewLeasesResponse,
} from '#lib/contracts';
import { NO_EXEMPLAR, Tracing } from '#lib/observability';
import type { LeaseOutcome } from '#lib/placement';
import { PlaceCalls } from './place-calls.js';
import { type PlaceStream, PlaceStreams } from './place-streams.js';
import { PlacementDesk } from './placement-desk.js';

/** Outcomes of a lease that say that its worker did not take the generation. */
const NOT_HONOURED: ReadonlySet<string> = new Set(['refused', 'worker-lost']);

/** `hydra.internal.v1.Placement`. Methods go by the names of the generated definitions. */
@Controller()
export class PlacementController {
  constructor(
    private readonly desk: PlacementDesk,
    private readonly calls: PlaceCalls,
    private readonly streams: PlaceStreams,
    private readonly tracing: Tracing,
  ) {}

  @GrpcMethod('Placement', 'place')
  async place(
    wire: PlaceRequest,
    _metadata: Metadata,
    call: ServerUnaryCall<PlaceRequest, PlaceResponse>,
  ): Promise<PlaceResponse> {
    if (call.cancelled) throw callerLeft();
    const { answer, abandon } = this.calls.open(wire, Number(call.getDeadline()) - Date.now());
    const abandoned = new Promise<never>((_, reject) => {
      call.once('cancelled', () => {
        abandon();
        reject(callerLeft());
      });
    });
    abandoned.catch(() => {}); // grpc-js says `cancelled` at the end of every call: mostly nobody listens any more
    return Promise.race([answer, abandoned]);
  }

  @GrpcStreamCall('Placement', 'placeStream')
  placeStream(stream: PlaceStream): void {
    this.streams.accept(stream);
  }

  @GrpcMethod('Placement', 'renewLeases')
  renewLeases({ leaseIds }: RenewLeasesRequest): RenewLeasesResponse {
    return { unknownLeaseIds: this.desk.renew(leaseIds) };
  }

  @GrpcMethod('Placement', 'releaseLeases')
  releaseLeases({ releases }: ReleaseLeasesRequest): ReleaseLeasesResponse {
    for (const { leaseId, ttftUs, keepTrace } of releases) {
      const record = this.tracing.recorder.named(leaseId);
      if (ttftUs > 0) this.desk.noteFirstToken(leaseId, ttftUs / 1_000, record?.exemplar ?? NO_EXEMPLAR);
      if (keepTrace) record?.fail();
    }
    const notHonoured = releases.filter(({ outcome }) => NOT_HONOURED.has(outcome));
    const ended = releases.filter(({ outcome }) => !NOT_HONOURED.has(outcome));
    this.desk.release(
      ended.map(toLeaseOutcome),
      notHonoured.map(({ leaseId }) => leaseId),
    );
    return {};
  }
}

function callerLeft(): RpcException {
  return new RpcException({ code: status.CANCELLED, message: 'the caller left' });
}

function toLeaseOutcome({ leaseId, usage, ttftUs }: LeaseRelease): LeaseOutcome {
  const used = usage && {
    computedPromptTokens: Math.max(0, usage.promptTokens - usage.cachedPromptTokens),
    outputTokens: usage.completionTokens,
  };
  return { leaseId, used, ttftMs: ttftUs / 1_000 };
}
