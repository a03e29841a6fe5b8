import type { ServerDuplexStream } from '@grpc/grpc-js';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import type { FleetDirective, KvEvents, Registration, WorkerEvent } from '#lib/contracts';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { type MemberStream, MemberStreams, RefusedEventError } from './member-streams.js';
import { PlacementDesk } from './placement-desk.js';
import { HYDRA_CONFIG } from './scheduler-config.js';

export type JoinCall = ServerDuplexStream<WorkerEvent, FleetDirective>;
type Membership = MemberStream<WorkerEvent>;

/** The `Join` streams: a worker is in the fleet through the one that registered it last. */
@Injectable()
export class WorkerMemberships implements BeforeApplicationShutdown {
  private readonly streams: MemberStreams<WorkerEvent>;

  constructor(
    private readonly desk: PlacementDesk,
    @Inject(HYDRA_CONFIG) private readonly config: HydraConfig,
    @Inject(APP_LOGGER) logger: Logger,
  ) {
    this.streams = new MemberStreams({
      member: 'worker',
      reportIntervalMs: config.scheduler.reportIntervalMs,
      logger,
      onEvent: (event, membership) => this.apply(event, membership),
      onLeave: ({ memberId, memberEpoch }) => desk.removeWorker(memberId, memberEpoch),
    });
    desk.listen({
      workerLeft: ({ workerId, workerEpoch }) =>
        this.streams.dismiss(workerId, workerEpoch, 'nothing was heard for too long; join again'),
      reignBegan: (modelId, term) => {
        for (const membership of this.streams.registered) tellLeading(membership, modelId, term);
      },
    });
  }

  join(call: JoinCall): void {
    this.streams.accept(call);
  }

  beforeApplicationShutdown(): void {
    this.streams.shutDown();
  }

  private apply({ event }: WorkerEvent, membership: Membership): void {
    const { memberId: workerId, memberEpoch: workerEpoch } = membership;
    if (workerId === '' && event?.$case !== 'registration') {
      throw new RefusedEventError('the first event must be a registration');
    }
    switch (event?.$case) {
      case 'registration':
        this.register(event.value, membership);
        break;
      case 'report':
        this.desk.report(workerId, workerEpoch, event.value);
        break;
      case 'drainStarted':
        this.desk.startDraining(workerId, workerEpoch);
        break;
      case 'kvEvents':
        this.applyKvEvents(event.value, membership);
        break;
      case undefined: // an event of a later version
        this.desk.heard(workerId, workerEpoch);
        break;
      default:
        event satisfies never;
    }
  }

  private applyKvEvents(events: KvEvents, membership: Membership): void {
    const { memberId, memberEpoch } = membership;
    membership.received(events);
    if (this.desk.applyKvEvents(memberId, memberEpoch, events)) membership.askForSnapshot();
  }

  private register(registration: Registration, membership: Membership): void {
    const { workerId, workerEpoch, target } = registration;
    const { memberId, memberEpoch } = membership;
    if (workerId === '' || target === '') throw new RefusedEventError('a registration needs a worker id and a target');
    if (memberId !== '' && (memberId !== workerId || memberEpoch !== workerEpoch)) {
      throw new RefusedEventError(`this stream belongs to ${memberId}, epoch ${memberEpoch}`);
    }
    const outcome = this.desk.register(registration);
    if (outcome.kind === 'superseded') {
      this.streams.supersede(membership, outcome.byEpoch);
      return;
    }
    this.streams.enter(membership, workerId, workerEpoch);
    const { schedulerId, schedulerEpoch } = this.desk;
    const { reportIntervalMs } = this.config.scheduler;
    membership.tell({ $case: 'accepted', value: { schedulerId, schedulerEpoch, reportIntervalMs } });
    for (const [modelId, term] of this.desk.termsHeld) tellLeading(membership, modelId, term);
  }
}

function tellLeading(membership: Membership, modelId: string, term: number): void {
  membership.tell({ $case: 'leading', value: { modelId, term } });
}
