import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ChannelSecurity, clientChannelOptions, WatchStream, WorkerSession } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { FleetClient, type FleetMember, type FleetSnapshot } from '#lib/contracts';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { GATEWAY_CONFIG, GATEWAY_ID } from '../gateway-config.js';

/** Longest wait for the fleet at the start, in milliseconds; chosen to cover the restart of both on one machine. */
const KNOWN_WITHIN_MS = 2_000;

/** A worker of the fleet with the session to it. */
export interface WorkerView {
  readonly workerId: string;
  readonly workerEpoch: number;
  readonly target: string;
  readonly member: FleetMember;
}

/**
 * The fleet as the scheduler last told it, with a session opened ahead to every worker. While no scheduler answers, the
 * last known fleet stays; a restarted scheduler has `workerTimeoutMs` to hear of its workers again.
 */
@Injectable()
export class FleetView implements OnModuleInit, OnApplicationShutdown {
  private readonly client: FleetClient;
  private watch: WatchStream<FleetSnapshot> | undefined;
  private readonly workersById = new Map<string, WorkerView>();
  private readonly sessions = new Map<string, WorkerSession>();
  private readonly listeners: (() => void)[] = [];
  private schedulerEpoch = 0;
  private forgetTimer: NodeJS.Timeout | undefined;
  private latest: FleetSnapshot | undefined;
  /** Of one outage, one line is enough. */
  private isLost = false;
  private readonly known = Promise.withResolvers<void>();

  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    @Inject(GATEWAY_ID) private readonly gatewayId: string,
    @Inject(APP_LOGGER) private readonly logger: Logger,
    private readonly security: ChannelSecurity,
  ) {
    const credentials = security.credentialsFor('scheduler');
    this.client = new FleetClient(config.scheduler.target, credentials, clientChannelOptions());
  }

  /**
   * Nothing is answered before the fleet is known and its workers are connected, so that the first requests after a
   * restart are served.
   */
  async onModuleInit(): Promise<void> {
    this.watch = new WatchStream<FleetSnapshot>(() => this.client.watch({ watcherId: this.gatewayId }), {
      onMessage: (snapshot) => this.apply(snapshot),
      onLost: (error, retryInMs) => {
        const level = this.isLost || this.latest === undefined ? 'debug' : 'warn';
        this.isLost = true;
        this.logger[level](
          { reason: error?.message, retry_in_ms: Math.round(retryInMs) },
          'lost sight of the scheduler',
        );
      },
    });
    const { target } = this.config.scheduler;
    const timer = setTimeout(() => {
      this.logger.warn({ scheduler: target }, 'the fleet is not known yet: starting without');
      this.known.resolve();
    }, KNOWN_WITHIN_MS);
    await this.known.promise;
    clearTimeout(timer);
  }

  onApplicationShutdown(): void {
    this.watch?.close();
    clearTimeout(this.forgetTimer);
    for (const session of this.sessions.values()) session.close();
    this.client.close();
  }

  get workers(): readonly WorkerView[] {
    return [...this.workersById.values()];
  }

  /** Called after the fleet or the state of a session changed. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** The session to a worker, opened if it is not known yet. */
  session(target: string): WorkerSession {
    const existing = this.sessions.get(target);
    if (existing !== undefined) return existing;
    const session = new WorkerSession({
      target,
      gatewayId: this.gatewayId,
      credentials: this.security.credentialsFor('worker'),
      onStateChange: (state, reason) => {
        if (state === 'waiting') this.logger.warn({ target, reason }, 'lost the session with a worker');
        if (state === 'open') this.logger.info({ target, worker_id: session.welcome?.workerId }, 'session is open');
        if (state === 'open' || state === 'waiting') this.changed();
      },
    });
    this.sessions.set(target, session);
    return session;
  }

  isConnected(worker: WorkerView): boolean {
    return this.sessions.get(worker.target)?.state === 'open';
  }

  private apply(snapshot: FleetSnapshot): void {
    if (this.isLost && this.latest !== undefined) {
      this.logger.info(
        { scheduler_id: snapshot.schedulerId, workers: snapshot.members.length },
        'the scheduler is back',
      );
    }
    this.isLost = false;
    this.latest = snapshot;
    const isOtherScheduler = this.schedulerEpoch !== 0 && snapshot.schedulerEpoch !== this.schedulerEpoch;
    this.schedulerEpoch = snapshot.schedulerEpoch;
    for (const member of snapshot.members) this.learn(member);
    if (isOtherScheduler) {
      clearTimeout(this.forgetTimer);
      this.forgetTimer = setTimeout(() => {
        this.forgetTimer = undefined;
        this.forgetMissing();
        this.changed();
      }, this.config.scheduler.workerTimeoutMs);
    } else if (this.forgetTimer === undefined) {
      this.forgetMissing();
    }
    this.changed();
  }

  private learn(member: FleetMember): void {
    const { registration } = member;
    if (registration === undefined) return;
    const { workerId, workerEpoch, target } = registration;
    this.workersById.set(workerId, { workerId, workerEpoch, target, member });
    this.session(target);
  }

  private forgetMissing(): void {
    const present = new Set(this.latest?.members.map((member) => member.registration?.workerId));
    for (const workerId of this.workersById.keys()) if (!present.has(workerId)) this.workersById.delete(workerId);
    const targets = new Set(this.workers.map(({ target }) => target));
    for (const [target, session] of this.sessions) {
      // What still runs there may finish; the session goes with a later snapshot.
      if (targets.has(target) || session.openGenerations > 0) continue;
      session.close();
      this.sessions.delete(target);
    }
  }

  private changed(): void {
    if (this.latest !== undefined && this.workers.every((worker) => this.isConnected(worker))) this.known.resolve();
    for (const listener of this.listeners) listener();
  }
}
