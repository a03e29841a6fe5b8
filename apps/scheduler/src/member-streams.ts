import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { FleetDirective, KvEvents } from '#lib/contracts';
import type { Logger } from '#lib/observability';
import { SnapshotRequest } from './snapshot-request.js';

/** A member's event that cannot be taken; it ends the stream. */
export class RefusedEventError extends Error {
  override readonly name = 'RefusedEventError';

  constructor(
    message: string,
    readonly code: status = status.INVALID_ARGUMENT,
  ) {
    super(message);
  }
}

/** One stream of a worker or a cache, and who is on it once it has said so. */
export class MemberStream<Event> {
  /** Empty before it has registered. */
  memberId = '';
  memberEpoch = 0;
  /** Nothing that comes on it counts any more. */
  isOver = false;
  private readonly snapshots: SnapshotRequest;

  constructor(
    private readonly call: ServerDuplexStream<Event, FleetDirective>,
    reportIntervalMs: number,
  ) {
    this.snapshots = new SnapshotRequest(call, reportIntervalMs);
  }

  registeredAs(memberId: string, memberEpoch: number): void {
    this.memberId = memberId;
    this.memberEpoch = memberEpoch;
  }

  tell(directive: FleetDirective['directive']): void {
    this.call.write({ directive });
  }

  /** Events of what it holds have come. */
  received(events: KvEvents): void {
    this.snapshots.noteReceived(events);
  }

  /** They do not follow on what is known. */
  askForSnapshot(): void {
    this.snapshots.ask();
  }

  end(): void {
    this.call.end();
  }

  fail(code: status, details: string): void {
    this.call.emit('error', { code, details });
  }
}

export interface MemberStreamsOptions<Event> {
  /** What members are called in logs. */
  readonly member: 'worker' | 'kvcache';
  readonly reportIntervalMs: number;
  readonly logger: Logger;
  /** Takes an event. @throws RefusedEventError */
  readonly onEvent: (event: Event, stream: MemberStream<Event>) => void;
  /** The stream through which a member was known has ended. */
  readonly onLeave: (stream: MemberStream<Event>) => void;
}

/**
 * The streams of workers, or of caches. A member is known through the stream on which it registered last: that stream's end takes it out at once; the
 * end of an older one, which it left behind when it connected again, takes out nobody.
 */
export class MemberStreams<Event> {
  private readonly byMember = new Map<string, MemberStream<Event>>();
  private readonly open = new Set<MemberStream<Event>>();

  constructor(private readonly options: MemberStreamsOptions<Event>) {}

  /** Those of members. */
  get registered(): Iterable<MemberStream<Event>> {
    return this.byMember.values();
  }

  accept(call: ServerDuplexStream<Event, FleetDirective>): void {
    const { member, reportIntervalMs, logger } = this.options;
    const stream = new MemberStream<Event>(call, reportIntervalMs);
    this.open.add(stream);
    call.on('data', (event: Event) => this.take(event, stream));
    call.on('end', () => {
      this.leave(stream);
      call.end();
    });
    call.on('cancelled', () => this.leave(stream));
    call.on('close', () => this.leave(stream));
    call.on('error', (error) => {
      logger.debug({ [member]: stream.memberId, error }, 'a stream broke');
      this.leave(stream);
    });
  }

  /** The member is known through this stream from now on. */
  enter(stream: MemberStream<Event>, memberId: string, memberEpoch: number): void {
    stream.registeredAs(memberId, memberEpoch);
    const earlier = this.byMember.get(memberId);
    this.byMember.set(memberId, stream);
    if (earlier !== undefined && earlier !== stream) this.supersede(earlier, memberEpoch);
  }

  /** A later life of the member is known. */
  supersede(stream: MemberStream<Event>, byEpoch: number): void {
    this.close(stream);
    stream.tell({ $case: 'superseded', value: { byEpoch } });
    stream.end();
  }

  /** The member was taken out: should it still be there, it is to come again. */
  dismiss(memberId: string, memberEpoch: number, message: string): void {
    const stream = this.byMember.get(memberId);
    if (stream === undefined || stream.memberEpoch !== memberEpoch || stream.isOver) return;
    this.byMember.delete(memberId);
    this.close(stream);
    stream.fail(status.DEADLINE_EXCEEDED, message);
  }

  /** Members go to another scheduler, or to the next life of this one. */
  shutDown(): void {
    for (const stream of [...this.open]) {
      this.close(stream);
      stream.fail(status.UNAVAILABLE, 'the scheduler is shutting down');
    }
  }

  private take(event: Event, stream: MemberStream<Event>): void {
    if (stream.isOver) return;
    try {
      this.options.onEvent(event, stream);
    } catch (error) {
      // Anything thrown in a stream's handler would end the process.
      const { member, logger } = this.options;
      const isRefused = error instanceof RefusedEventError;
      if (!isRefused) logger.error({ [member]: stream.memberId, error }, 'an event could not be taken');
      this.leave(stream);
      if (isRefused) stream.fail(error.code, error.message);
      else stream.fail(status.INTERNAL, 'the event could not be taken');
    }
  }

  /** The stream is of no more use: its member, if it has one, is out. */
  private leave(stream: MemberStream<Event>): void {
    if (stream.isOver) {
      this.open.delete(stream);
      return;
    }
    this.close(stream);
    if (this.byMember.get(stream.memberId) !== stream) return;
    this.byMember.delete(stream.memberId);
    this.options.onLeave(stream);
  }

  private close(stream: MemberStream<Event>): void {
    stream.isOver = true;
    this.open.delete(stream);
  }
}
