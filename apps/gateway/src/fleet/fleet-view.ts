import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ChannelSecurity, WorkerSession } from '#lib/channels';
import { type HydraConfig, schedulerTargets } from '#lib/config';
import type { FleetMember } from '#lib/contracts';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { GATEWAY_CONFIG, GATEWAY_ID } from '../gateway-config.js';
import { FleetSource } from './fleet-source.js';

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
 * The fleet as the schedulers last told it, with a session opened ahead to every worker. All know the same workers; those that answer
 * count, and while none does the last known fleet stays.
 */
@Injectable()
export class FleetView implements OnModuleInit, OnApplicationShutdown {
  private sources: readonly FleetSource[] = [];
  private readonly workersById = new Map<string, WorkerView>();
  private readonly sessions = new Map<string, WorkerSession>();
  private readonly listeners: (() => void)[] = [];
  private readonly known = Promise.withResolvers<void>();

  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    @Inject(GATEWAY_ID) private readonly gatewayId: string,
    @Inject(APP_LOGGER) private readonly logger: Logger,
    private readonly security: ChannelSecurity,
  ) {}

  /**
   * Nothing is answered before the fleet is known and its workers are connected, so that the first requests after a
   * restart are served.
   */
  async onModuleInit(): Promise<void> {
    const targets = schedulerTargets(this.config);
    const { workerTimeoutMs } = this.config.scheduler;
    const { gatewayId, logger } = this;
    const credentials = this.security.credentialsFor('scheduler');
    const onChange = () => this.refresh();
    const options = { credentials, gatewayId, workerTimeoutMs, logger, onChange };
    this.sources = targets.map((target) => new FleetSource({ target, ...options }));
    const timer = setTimeout(() => {
      this.logger.warn({ schedulers: targets }, 'the fleet is not known yet: starting without');
      this.known.resolve();
    }, KNOWN_WITHIN_MS);
    await this.known.promise;
    clearTimeout(timer);
  }

  onApplicationShutdown(): void {
    for (const source of this.sources) source.close();
    for (const session of this.sessions.values()) session.close();
  }

  get workers(): readonly WorkerView[] {
    return [...this.workersById.values()];
  }

  get schedulers(): readonly Pick<FleetSource, 'target' | 'isLive' | 'waitingGenerations'>[] {
    return this.sources;
  }

  /** Whether the scheduler tells its fleet now. */
  hears(target: string): boolean {
    return this.sources.some((source) => source.target === target && source.isLive);
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

  private refresh(): void {
    const live = this.sources.filter(({ isLive }) => isLive);
    const present = new Set<string>();
    for (const { members } of live.length > 0 ? live : this.sources) {
      for (const member of members) this.learn(member, present);
    }
    for (const workerId of this.workersById.keys()) if (!present.has(workerId)) this.workersById.delete(workerId);
    const targets = new Set(this.workers.map(({ target }) => target));
    for (const [target, session] of this.sessions) {
      // What still runs there may finish; the session goes with a later snapshot.
      if (targets.has(target) || session.openGenerations > 0) continue;
      session.close();
      this.sessions.delete(target);
    }
    this.changed();
  }

  /** Of two lives of a worker that are told the later one counts. */
  private learn(member: FleetMember, present: Set<string>): void {
    if (member.registration === undefined) return;
    const { workerId, workerEpoch, target } = member.registration;
    const isLater = workerEpoch > (this.workersById.get(workerId)?.workerEpoch ?? 0);
    if (!present.has(workerId) || isLater) this.workersById.set(workerId, { workerId, workerEpoch, target, member });
    present.add(workerId);
    this.session(target);
  }

  private changed(): void {
    if (this.sources.some(({ isKnown }) => isKnown) && this.workers.every((worker) => this.isConnected(worker)))
      this.known.resolve();
    for (const listener of this.listeners) listener();
  }
}
