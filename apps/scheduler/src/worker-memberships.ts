import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import type { FleetDirective, KvEvents, Registration, WorkerEvent } from '#lib/contracts';
import { APP_LOGGER, type Logger } from '#lib/observability';
import type { WorkerDeparture } from '#lib/placement';
import { PlacementDesk } from './placement-desk.js';
import { HYDRA_CONFIG } from './scheduler-config.js';
import { SnapshotRequest } from './snapshot-request.js';

export type JoinCall = ServerDuplexStream<WorkerEvent, FleetDirective>;

/** A worker's event that breaks the protocol; it ends the stream. */
class ProtocolError extends Error {}

/** One `Join` stream, and who is on it once it has registered. */
interface Membership {
  readonly call: JoinCall;
  readonly snapshots: SnapshotRequest;
  workerId: string;
  workerEpoch: number;
  isOver: boolean;
}

/**
 * The `Join` streams. A worker is in the fleet through the stream that registered it last: that stream's end takes it out at
 * once; the end of an older one, which a worker left behind when it connected again, takes out nobody.
 */
@Injectable()
export class WorkerMemberships implements BeforeApplicationShutdown {
  private readonly byWorker = new Map<string, Membership>();
  private readonly open = new Set<Membership>();

  constructor(
    private readonly desk: PlacementDesk,
    @Inject(HYDRA_CONFIG) private readonly config: HydraConfig,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {
    desk.listen({
      workerLeft: (departure) => this.dismiss(departure),
      reignBegan: (modelId, term) => this.announce(modelId, term),
    });
  }

  join(call: JoinCall): void {
    const snapshots = new SnapshotRequest(call, this.config.scheduler.reportIntervalMs);
    const membership: Membership = { call, snapshots, workerId: '', workerEpoch: 0, isOver: false };
    this.open.add(membership);
    call.on('data', (event: WorkerEvent) => this.take(event, membership));
    call.on('end', () => {
      this.leave(membership);
      call.end();
    });
    call.on('cancelled', () => this.leave(membership));
    call.on('close', () => this.leave(membership));
    call.on('error', (error) => {
      this.logger.debug({ worker: membership.workerId, error }, 'join stream broke');
      this.leave(membership);
    });
  }

  /** Workers go to another scheduler, or to the next life of this one. */
  beforeApplicationShutdown(): void {
    for (const membership of [...this.open]) {
      membership.isOver = true;
      this.fail(membership, status.UNAVAILABLE, 'the scheduler is shutting down');
    }
  }

  private take(event: WorkerEvent, membership: Membership): void {
    if (membership.isOver) return;
    try {
      this.apply(event, membership);
    } catch (error) {
      // Anything thrown in a stream's handler would end the process.
      if (!(error instanceof ProtocolError)) this.logger.error({ worker: membership.workerId, error }, 'join failed');
      const code = error instanceof ProtocolError ? status.INVALID_ARGUMENT : status.INTERNAL;
      this.leave(membership);
      this.fail(membership, code, error instanceof ProtocolError ? error.message : 'the event could not be taken');
    }
  }

  private apply({ event }: WorkerEvent, membership: Membership): void {
    const { workerId, workerEpoch } = membership;
    if (workerId === '' && event?.$case !== 'registration') {
      throw new ProtocolError('the first event must be a registration');
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
    const { workerId, workerEpoch, snapshots } = membership;
    snapshots.noteReceived(events);
    if (this.desk.applyKvEvents(workerId, workerEpoch, events)) snapshots.ask();
  }

  private register(registration: Registration, membership: Membership): void {
    const { workerId, workerEpoch, target } = registration;
    if (workerId === '' || target === '') throw new ProtocolError('a registration needs a worker id and a target');
    const isFirst = membership.workerId === '';
    if (!isFirst && (membership.workerId !== workerId || membership.workerEpoch !== workerEpoch)) {
      throw new ProtocolError(`this stream belongs to ${membership.workerId}, epoch ${membership.workerEpoch}`);
    }
    const outcome = this.desk.register(registration);
    if (outcome.kind === 'superseded') {
      this.supersede(membership, outcome.byEpoch);
      return;
    }
    Object.assign(membership, { workerId, workerEpoch });
    const earlier = this.byWorker.get(workerId);
    this.byWorker.set(workerId, membership);
    if (earlier !== undefined && earlier !== membership) this.supersede(earlier, workerEpoch);
    const { schedulerId, schedulerEpoch } = this.desk;
    const reportIntervalMs = this.config.scheduler.reportIntervalMs;
    const accepted = { schedulerId, schedulerEpoch, reportIntervalMs };
    membership.call.write({ directive: { $case: 'accepted', value: accepted } });
    for (const [modelId, term] of this.desk.termsHeld) tellLeading(membership, modelId, term);
  }

  private announce(modelId: string, term: number): void {
    for (const membership of this.byWorker.values()) tellLeading(membership, modelId, term);
  }

  private supersede(membership: Membership, byEpoch: number): void {
    membership.isOver = true;
    this.open.delete(membership);
    membership.call.write({ directive: { $case: 'superseded', value: { byEpoch } } });
    membership.call.end();
  }

  /** A silent worker was taken out: should it still be there, it is to join again. */
  private dismiss({ workerId, workerEpoch }: WorkerDeparture): void {
    const membership = this.byWorker.get(workerId);
    if (membership === undefined || membership.workerEpoch !== workerEpoch || membership.isOver) return;
    membership.isOver = true;
    this.byWorker.delete(workerId);
    this.fail(membership, status.DEADLINE_EXCEEDED, 'nothing was heard for too long; join again');
  }

  /** The stream is of no more use: its worker, if it has one, is out. */
  private leave(membership: Membership): void {
    this.open.delete(membership);
    if (membership.isOver) return;
    membership.isOver = true;
    if (this.byWorker.get(membership.workerId) === membership) {
      this.byWorker.delete(membership.workerId);
      this.desk.removeWorker(membership.workerId, membership.workerEpoch);
    }
  }

  private fail(membership: Membership, code: status, details: string): void {
    this.open.delete(membership);
    membership.call.emit('error', { code, details });
  }
}

function tellLeading({ call }: Membership, modelId: string, term: number): void {
  call.write({ directive: { $case: 'leading', value: { modelId, term } } });
}
