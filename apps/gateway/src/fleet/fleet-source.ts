import type { ChannelCredentials } from '@grpc/grpc-js';
import { clientChannelOptions, WatchStream } from '#lib/channels';
import { FleetClient, type FleetMember, type FleetSnapshot } from '#lib/contracts';
import type { Logger } from '#lib/observability';

export interface FleetSourceOptions {
  readonly target: string;
  readonly credentials: ChannelCredentials;
  readonly gatewayId: string;
  /** How long a scheduler that was restarted has to hear of its workers again, in milliseconds. */
  readonly workerTimeoutMs: number;
  readonly logger: Logger;
  readonly onChange: () => void;
}

/**
 * The fleet as one scheduler last told it. While it does not answer, what it said stays; a restarted one has `workerTimeoutMs` to
 * hear of its workers again.
 */
export class FleetSource {
  private readonly client: FleetClient;
  private readonly watch: WatchStream<FleetSnapshot>;
  private readonly membersById = new Map<string, FleetMember>();
  private latest: FleetSnapshot | undefined;
  private forgetTimer: NodeJS.Timeout | undefined;
  /** Of one outage, one line is enough. */
  private isLost = false;

  constructor(private readonly options: FleetSourceOptions) {
    const { target, credentials, gatewayId, logger } = options;
    this.client = new FleetClient(target, credentials, clientChannelOptions());
    this.watch = new WatchStream<FleetSnapshot>(() => this.client.watch({ watcherId: gatewayId }), {
      onMessage: (snapshot) => this.apply(snapshot),
      onLost: (error, retryInMs) => {
        const level = this.isLost || this.latest === undefined ? 'debug' : 'warn';
        this.isLost = true;
        const about = { scheduler: target, reason: error?.message, retry_in_ms: Math.round(retryInMs) };
        logger[level](about, 'lost sight of the scheduler');
        options.onChange();
      },
    });
  }

  get target(): string {
    return this.options.target;
  }

  /** It has told its fleet. */
  get isKnown(): boolean {
    return this.latest !== undefined;
  }

  /** It tells its fleet now. */
  get isLive(): boolean {
    return this.latest !== undefined && !this.isLost;
  }

  get members(): Iterable<FleetMember> {
    return this.membersById.values();
  }

  /** Those that wait in it for a place, as it last told. */
  get waitingGenerations(): number {
    return this.latest?.waitingGenerations ?? 0;
  }

  close(): void {
    this.watch.close();
    clearTimeout(this.forgetTimer);
    this.client.close();
  }

  private apply(snapshot: FleetSnapshot): void {
    const { logger, onChange, workerTimeoutMs } = this.options;
    if (this.isLost && this.latest !== undefined) {
      const about = { scheduler_id: snapshot.schedulerId, workers: snapshot.members.length };
      logger.info(about, 'the scheduler is back');
    }
    const isOtherLife = this.latest !== undefined && snapshot.schedulerEpoch !== this.latest.schedulerEpoch;
    this.isLost = false;
    this.latest = snapshot;
    for (const member of snapshot.members) {
      if (member.registration !== undefined) this.membersById.set(member.registration.workerId, member);
    }
    if (isOtherLife) {
      clearTimeout(this.forgetTimer);
      this.forgetTimer = setTimeout(() => {
        this.forgetTimer = undefined;
        this.forgetMissing();
        onChange();
      }, workerTimeoutMs);
    } else if (this.forgetTimer === undefined) {
      this.forgetMissing();
    }
    onChange();
  }

  private forgetMissing(): void {
    const present = new Set(this.latest?.members.map((member) => member.registration?.workerId));
    for (const workerId of this.membersById.keys()) if (!present.has(workerId)) this.membersById.delete(workerId);
  }
}
