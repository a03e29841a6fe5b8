import { type Metadata, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall, RpcException } from '@nestjs/microservices';
import type {
  PlaceRequest,
  PlaceResponse,
  ReleaseLeasesRequest,
  ReleaseLeasesResponse,
  RenewLeasesRequest,
  RenewLeasesResponse,
} from '#lib/contracts';
import { LeaseReleases } from './lease-releases.js';
import { PlaceCalls } from './place-calls.js';
import { type PlaceStream, PlaceStreams } from './place-streams.js';
import { PlacementDesk } from './placement-desk.js';

/** `hydra.internal.v1.Placement`. Methods go by the names of the generated definitions. */
@Controller()
export class PlacementController {
  constructor(
    private readonly desk: PlacementDesk,
    private readonly calls: PlaceCalls,
    private readonly streams: PlaceStreams,
    private readonly releases: LeaseReleases,
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
    this.releases.take(releases);
    return {};
  }
}

function callerLeft(): RpcException {
  return new RpcException({ code: status.CANCELLED, message: 'the caller left' });
}
