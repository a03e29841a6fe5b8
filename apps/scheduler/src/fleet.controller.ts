import type { Metadata } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import { Observable } from 'rxjs';
import type { FleetSnapshot, WatchRequest } from '#lib/contracts';
import { type AnnounceCall, CacheAnnouncements } from './cache-announcements.js';
import { FleetWatchers, type WatchCall } from './fleet-watchers.js';
import { type JoinCall, WorkerMemberships } from './worker-memberships.js';

/** `hydra.internal.v1.Fleet`. Methods go by the names of the generated definitions. */
@Controller()
export class FleetController {
  constructor(
    private readonly memberships: WorkerMemberships,
    private readonly announcements: CacheAnnouncements,
    private readonly watchers: FleetWatchers,
  ) {}

  @GrpcStreamCall('Fleet', 'join')
  join(call: JoinCall): void {
    this.memberships.join(call);
  }

  @GrpcStreamCall('Fleet', 'announce')
  announce(call: AnnounceCall): void {
    this.announcements.announce(call);
  }

  /** Writes to the call itself: Nest would queue without bound what a slow watcher does not take. Nest only ends the call. */
  @GrpcMethod('Fleet', 'watch')
  watch(_request: WatchRequest, _metadata: Metadata, call: WatchCall): Observable<FleetSnapshot> {
    return new Observable((subscriber) => this.watchers.watch(call, () => subscriber.complete()));
  }
}
