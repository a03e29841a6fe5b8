import type { ClientDuplexStream } from '@grpc/grpc-js';
import { Inject, Injectable } from '@nestjs/common';
import { BackOff, ChannelSecurity, clientChannelOptions, GrpcStatusError } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { FleetClient, type FleetDirective, type WorkerEvent } from '#lib/contracts';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { Embeddings } from '../embedding/embeddings.js';
import { EngineHost } from '../engine/engine-host.js';
import { Drain } from '../lifecycle/drain.js';
import { Generations } from '../session/generations.js';
import { HYDRA_CONFIG } from '../worker-config.js';
import { WorkerIdentity } from '../worker-identity.js';
import { DeviceMeter } from './device-meter.js';
import { KvEventLog } from './kv-event-log.js';
import { registrationOf } from './registration.js';
import { StateReporter } from './state-reporter.js';

/** Changes within this time go into one report, in milliseconds. */
const CHANGE_DELAY_MS = 10;

/** This worker's place in the scheduler's fleet: joined while the engine can answer, re-joined for ever when it is lost. */
@Injectable()
export class FleetMembership {
  private readonly backOff = new BackOff();
  private call: ClientDuplexStream<WorkerEvent, FleetDirective> | undefined;
  private target: { readonly host: string; readonly port: number; readonly version: string } | undefined;
  private isBlocked = false;
  private isJoined = false;
  /** One line about a scheduler that is not there is enough. */
  private hasComplained = false;
  private reportTimer: NodeJS.Timeout | undefined;
  private changeTimer: NodeJS.Timeout | undefined;
  private rejoinTimer: NodeJS.Timeout | undefined;
  private supersededListener: () => void = () => {};

  constructor(
    @Inject(HYDRA_CONFIG) private readonly config: HydraConfig,
    private readonly identity: WorkerIdentity,
    private readonly host: EngineHost,
    private readonly meter: DeviceMeter,
    private readonly reporter: StateReporter,
    private readonly drain: Drain,
    private readonly kvEvents: KvEventLog,
    generations: Generations,
    embeddings: Embeddings,
    @Inject(APP_LOGGER) private readonly logger: Logger,
    private readonly security: ChannelSecurity,
  ) {
    generations.onChange(() => this.reportSoon());
    embeddings.onChange(() => this.reportSoon());
    kvEvents.onChange(() => this.reportSoon());
    drain.onBegin((graceMs) => {
      this.send({ $case: 'drainStarted', value: { graceMs } });
      this.reportSoon();
    });
    host.onPhase((phase) => {
      if (phase === 'running') this.join();
      else this.leave();
    });
  }

  /** A larger epoch of this worker has joined: this one should end. */
  onSuperseded(listener: () => void): void {
    this.supersededListener = listener;
  }

  /** Joins as soon as the engine can answer. @param host, port  where gateways reach this worker */
  start(host: string, port: number, version: string): void {
    this.target = { host, port, version };
    if (this.host.phase === 'running') this.join();
  }

  stop(): void {
    this.target = undefined;
    this.leave();
  }

  private join(): void {
    if (this.target === undefined || this.call !== undefined) return;
    clearTimeout(this.rejoinTimer);
    // A pool of its own: a new attempt does not wait in the back-off of the one before.
    const options = { ...clientChannelOptions(), 'grpc.use_local_subchannel_pool': 1 };
    const credentials = this.security.credentialsFor('scheduler');
    const client = new FleetClient(this.config.scheduler.target, credentials, options);
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

    const { host, port, version } = this.target;
    const description = this.host.engine.describe();
    const registration = registrationOf(this.identity, description, this.meter, `${host}:${port}`, version);
    this.send({ $case: 'registration', value: registration });
    if (this.drain.hasBegun) this.send({ $case: 'drainStarted', value: { graceMs: 0 } });
    this.send({ $case: 'kvEvents', value: this.kvEvents.take() }); // a scheduler that knows less asks for the rest
    this.reportEvery(this.config.scheduler.reportIntervalMs);
  }

  private leave(): void {
    clearTimeout(this.rejoinTimer);
    this.stopReports();
    const { call } = this;
    this.call = undefined;
    call?.end();
  }

  private lost(call: ClientDuplexStream<WorkerEvent, FleetDirective>, reason: string): void {
    if (this.call !== call) return;
    this.call = undefined;
    this.stopReports();
    const inMs = this.backOff.nextMs();
    const fields = { scheduler: this.config.scheduler.target, retry_ms: Math.round(inMs) };
    this.logger[this.isJoined || !this.hasComplained ? 'warn' : 'debug'](fields, `no scheduler: ${reason}`);
    this.isJoined = false;
    this.hasComplained = true;
    this.rejoinTimer = setTimeout(() => this.join(), inMs);
  }

  private obey({ directive }: FleetDirective): void {
    switch (directive?.$case) {
      case 'accepted': {
        this.backOff.reset();
        this.isJoined = true;
        const { schedulerId, reportIntervalMs } = directive.value;
        this.logger.info({ scheduler_id: schedulerId }, 'joined the fleet');
        if (reportIntervalMs > 0) this.reportEvery(reportIntervalMs);
        return;
      }
      case 'drain':
        this.drain.begin(directive.value.graceMs, 'the scheduler asked for it');
        return;
      case 'superseded':
        this.logger.warn(
          { by_epoch: directive.value.byEpoch },
          'a later life of this worker has joined: this one ends',
        );
        this.supersededListener();
        return;
      case 'requestKvSnapshot':
        this.send({ $case: 'kvEvents', value: this.kvEvents.snapshot() });
        return;
      case undefined: // a directive of a later revision
        return;
      default:
        directive satisfies never;
    }
  }

  private reportEvery(intervalMs: number): void {
    this.stopReports();
    this.report();
    this.reportTimer = setInterval(() => {
      this.reporter.measure();
      this.report();
    }, intervalMs);
  }

  private stopReports(): void {
    clearInterval(this.reportTimer);
    clearTimeout(this.changeTimer);
    this.changeTimer = undefined;
  }

  private reportSoon(): void {
    if (this.call === undefined || this.changeTimer !== undefined) return;
    this.changeTimer = setTimeout(() => {
      this.changeTimer = undefined;
      this.report();
    }, CHANGE_DELAY_MS);
  }

  /**
   * A scheduler that does not read misses reports: the next one says all that they said. Changes of the prefix store wait
   * for it in their log, which is bounded.
   */
  private report(): void {
    if (!this.isBlocked && this.kvEvents.hasNews) this.send({ $case: 'kvEvents', value: this.kvEvents.take() });
    if (!this.isBlocked) this.send({ $case: 'report', value: this.reporter.report() });
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
