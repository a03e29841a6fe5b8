import { type ChannelSecurity, clientChannelOptions, LastingStream } from '#lib/channels';
import {
  FleetClient,
  type FleetDirective,
  type Registration,
  type StateReport,
  type WorkerEvent,
} from '#lib/contracts';
import type { KvEventLog, KvEventReader } from '#lib/kv-transfer';
import type { Logger } from '#lib/observability';
import type { Drain } from '../lifecycle/drain.js';
import type { LeaseTerms } from '../session/lease-terms.js';
import type { WorkerIdentity } from '../worker-identity.js';

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
  private readonly news: KvEventReader;
  private readonly stream: LastingStream<WorkerEvent, FleetDirective>;
  private reports = 0;

  /** @param onNews  called when there are changes of the prefix store to be told */
  constructor(
    readonly target: string,
    private readonly parts: MembershipParts,
    onNews: () => void,
  ) {
    this.news = parts.kvEvents.read(onNews);
    this.stream = new LastingStream({
      open: () => {
        const client = new FleetClient(target, parts.security.credentialsFor('scheduler'), clientChannelOptions());
        return { call: client.join(), close: () => client.close() };
      },
      opened: () => this.introduce(),
      received: (directive) => this.obey(directive),
      lost: ({ reason, retryMs, wasAccepted, isNews }) => {
        const fields = { scheduler: target, retry_ms: retryMs };
        parts.logger[isNews ? 'warn' : 'debug'](fields, `no scheduler: ${reason}`);
        if (wasAccepted) parts.changed();
      },
    });
  }

  /** The scheduler has accepted it. */
  get isJoined(): boolean {
    return this.stream.isAccepted;
  }

  join(): void {
    this.stream.start();
  }

  leave(): void {
    this.stream.stop();
  }

  /** What it can do has changed. A scheduler that is away is told all when it is back. */
  registerAgain(): void {
    if (this.stream.isOpen) this.send({ $case: 'registration', value: this.parts.registration() });
  }

  startDraining(graceMs: number): void {
    this.send({ $case: 'drainStarted', value: { graceMs } });
  }

  /**
   * A scheduler that does not read misses reports: the next one says all that they said. Changes of the prefix store wait
   * for it in their log, which is bounded.
   * @param isDue  an interval is over: where the count of changes is, and what is held, is told in any case
   */
  report(isDue: boolean): void {
    if (!this.stream.isWritable) return;
    if (isDue || this.news.hasNews) this.send({ $case: 'kvEvents', value: this.news.take() });
    this.send({ $case: 'report', value: this.parts.report(++this.reports) });
  }

  private introduce(): void {
    this.send({ $case: 'registration', value: this.parts.registration() });
    if (this.parts.drain.hasBegun) this.send({ $case: 'drainStarted', value: { graceMs: 0 } });
    this.send({ $case: 'kvEvents', value: this.news.take() }); // a scheduler that knows less asks for the rest
    this.report(false);
  }

  private obey({ directive }: FleetDirective): void {
    switch (directive?.$case) {
      case 'accepted': {
        this.stream.accept();
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
        for (const part of this.news.snapshot()) this.send({ $case: 'kvEvents', value: part });
        return;
      case undefined: // a directive of a later revision
        return;
      default:
        directive satisfies never;
    }
  }

  private send(event: NonNullable<WorkerEvent['event']>): void {
    this.stream.send({ event });
  }
}
