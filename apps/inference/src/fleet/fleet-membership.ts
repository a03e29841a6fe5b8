import type { ClientDuplexStream } from '@grpc/grpc-js';
import { BackOff, type ChannelSecurity, clientChannelOptions, GrpcStatusError } from '#lib/channels';
import {
  FleetClient,
  type FleetDirective,
  type Registration,
  type StateReport,
  type WorkerEvent,
} from '#lib/contracts';
import type { Logger } from '#lib/observability';
import type { Drain } from '../lifecycle/drain.js';
import type { LeaseTerms } from '../session/lease-terms.js';
import type { WorkerIdentity } from '../worker-identity.js';
import type { KvEventLog, KvEventReader } from './kv-event-log.js';

/** What is told to a scheduler, and who is told what it says. */
export interface MembershipParts {
  readonly identity: WorkerIdentity;
  readonly logger: Logger;
  readonly security: ChannelSecurity;
  readonly kvEvents: KvEventLog;
  readonly terms: LeaseTerms;
  readonly drain: Drain;
  registration(): Registration;
  /** @param sequence  number of the report to this scheduler */
  report(sequence: number): StateReport;
  /** It joined a fleet, or lost it; the scheduler may ask for another time between reports, in milliseconds. */
  changed(reportIntervalMs?: number): void;
  /** A larger epoch of this worker has joined: this one should end. */
  superseded(): void;
}

/** This worker's place in one scheduler's fleet: joined while it is to be, re-joined for ever when it is lost. */
export class FleetMembership {
  private readonly backOff = new BackOff();
  private readonly news: KvEventReader;
  private call: ClientDuplexStream<WorkerEvent, FleetDirective> | undefined;
  private reports = 0;
  private isBlocked = false;
  private hasJoined = false;
  /** One line about a scheduler that is not there is enough. */
  private hasComplained = false;
  private rejoinTimer: NodeJS.Timeout | undefined;

  /** @param onNews  called when there are changes of the prefix store to be told */
  constructor(
    readonly target: string,
    private readonly parts: MembershipParts,
    onNews: () => void,
  ) {
    this.news = parts.kvEvents.read(onNews);
  }

  /** The scheduler has accepted it. */
  get isJoined(): boolean {
    return this.hasJoined;
  }

  join(): void {
    if (this.call !== undefined) return;
    clearTimeout(this.rejoinTimer);
    const { security, registration, drain } = this.parts;
    // A pool of its own: a new attempt does not wait in the back-off of the one before.
    const options = { ...clientChannelOptions(), 'grpc.use_local_subchannel_pool': 1 };
    const client = new FleetClient(this.target, security.credentialsFor('scheduler'), options);
    const call = client.join();
    this.call = call;
    this.isBlocked = false;
    let isOver = false;
    const over = (reason: string) => {
      if (isOver) return;
      isOver = true;
      client.close();
      this.lost(call, reason);
    };
    call.on('data', (directive: FleetDirective) => this.obey(directive));
    call.on('error', (error) => over(GrpcStatusError.from(error).message));
    call.on('end', () => over('it ended the stream'));

    this.send({ $case: 'registration', value: registration() });
    if (drain.hasBegun) this.send({ $case: 'drainStarted', value: { graceMs: 0 } });
    this.send({ $case: 'kvEvents', value: this.news.take() }); // a scheduler that knows less asks for the rest
    this.report(false);
  }

  leave(): void {
    clearTimeout(this.rejoinTimer);
    const { call } = this;
    this.call = undefined;
    this.hasJoined = false;
    call?.end();
  }

  /** What it can do has changed. */
  registerAgain(): void {
    if (this.call === undefined) return; // it tells all when it joins
    this.send({ $case: 'registration', value: this.parts.registration() });
  }

  startDraining(graceMs: number): void {
    this.send({ $case: 'drainStarted', value: { graceMs } });
  }

  private lost(call: ClientDuplexStream<WorkerEvent, FleetDirective>, reason: string): void {
    if (this.call !== call) return;
    this.call = undefined;
    const inMs = this.backOff.nextMs();
    const fields = { scheduler: this.target, retry_ms: Math.round(inMs) };
    this.parts.logger[this.hasJoined || !this.hasComplained ? 'warn' : 'debug'](fields, `no scheduler: ${reason}`);
    const wasJoined = this.hasJoined;
    this.hasJoined = false;
    this.hasComplained = true;
    this.rejoinTimer = setTimeout(() => this.join(), inMs);
    if (wasJoined) this.parts.changed();
  }

  private obey({ directive }: FleetDirective): void {
    switch (directive?.$case) {
      case 'accepted': {
        this.backOff.reset();
        this.hasJoined = true;
        const { schedulerId, reportIntervalMs } = directive.value;
        this.parts.logger.info({ scheduler_id: schedulerId }, 'joined the fleet');
        this.parts.changed(reportIntervalMs);
        return;
      }
      case 'leading':
        this.parts.terms.note(directive.value.modelId, directive.value.term);
        return;
      case 'drain':
        this.parts.drain.begin(directive.value.graceMs, 'the scheduler asked for it');
        return;
      case 'superseded':
        this.parts.logger.warn(
          { by_epoch: directive.value.byEpoch },
          'a later life of this worker has joined: this one ends',
        );
        this.parts.superseded();
        return;
      case 'requestKvSnapshot':
        this.send({ $case: 'kvEvents', value: this.news.snapshot() });
        return;
      case undefined: // a directive of a later revision
        return;
      default:
        directive satisfies never;
    }
  }

  /**
   * A scheduler that does not read misses reports: the next one says all that they said. Changes of the prefix store wait
   * for it in their log, which is bounded.
   * @param isDue  an interval is over: where the count of changes is, and what is held, is told in any case
   */
  report(isDue: boolean): void {
    if (this.call === undefined || this.isBlocked) return;
    if (isDue || this.news.hasNews) this.send({ $case: 'kvEvents', value: this.news.take() });
    this.send({ $case: 'report', value: this.parts.report(++this.reports) });
  }

  private send(event: NonNullable<WorkerEvent['event']>): void {
    const { call } = this;
    if (call === undefined || call.write({ event })) return;
    this.isBlocked = true;
    call.once('drain', () => {
      if (this.call === call) this.isBlocked = false;
    });
  }
}
