import { Inject, Injectable } from '@nestjs/common';
import { ChannelSecurity } from '#lib/channels';
import { type HydraConfig, schedulerTargets } from '#lib/config';
import { KvEventLog } from '#lib/kv-transfer';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { AdapterKeeper } from '../adapters/adapter-keeper.js';
import { Embeddings } from '../embedding/embeddings.js';
import { EngineHost } from '../engine/engine-host.js';
import { Drain } from '../lifecycle/drain.js';
import { Generations } from '../session/generations.js';
import { LeaseTerms } from '../session/lease-terms.js';
import { HYDRA_CONFIG } from '../worker-config.js';
import { WorkerIdentity } from '../worker-identity.js';
import { DeviceMeter } from './device-meter.js';
import { FleetMembership } from './fleet-membership.js';
import { registrationOf } from './registration.js';
import { StateReporter } from './state-reporter.js';

/** Changes within this time go into one report, in milliseconds. */
const CHANGE_DELAY_MS = 10;

/** This worker's places in the fleets of all schedulers, while its engine can answer. All are told the same at the same time. */
@Injectable()
export class FleetMemberships {
  private readonly memberships: readonly FleetMembership[];
  private place: { readonly host: string; readonly port: number; readonly version: string } | undefined;
  private readonly kv: { readonly sharesKv: boolean; readonly alwaysAsksCaches: boolean };
  private reportIntervalMs: number;
  private reportTimer: NodeJS.Timeout | undefined;
  private changeTimer: NodeJS.Timeout | undefined;
  private supersededListener: () => void = () => {};

  constructor(
    @Inject(HYDRA_CONFIG) config: HydraConfig,
    private readonly identity: WorkerIdentity,
    private readonly host: EngineHost,
    private readonly meter: DeviceMeter,
    private readonly reporter: StateReporter,
    drain: Drain,
    kvEvents: KvEventLog,
    terms: LeaseTerms,
    generations: Generations,
    embeddings: Embeddings,
    @Inject(APP_LOGGER) logger: Logger,
    security: ChannelSecurity,
    private readonly adapters: AdapterKeeper,
  ) {
    const { kvTransfer: sharesKv } = config.workers;
    const alwaysAsksCaches = sharesKv && config.kvcache.fetch === 'always' && config.kvcache.targets.length > 0;
    this.kv = { sharesKv, alwaysAsksCaches };
    this.reportIntervalMs = config.scheduler.reportIntervalMs;
    const parts = {
      ...{ identity, logger, security, kvEvents, terms, drain },
      registration: () => this.registration(),
      report: (sequence: number) => this.reporter.report(sequence, this.joinedTargets()),
      changed: (reportIntervalMs?: number) => this.changed(reportIntervalMs),
      superseded: () => this.supersededListener(),
    };
    const onNews = () => this.reportSoon();
    this.memberships = schedulerTargets(config).map((target) => new FleetMembership(target, parts, onNews));
    generations.onChange(() => this.reportSoon());
    embeddings.onChange(() => this.reportSoon());
    adapters.onChange(() => {
      for (const membership of this.memberships) membership.registerAgain();
    });
    drain.onBegin((graceMs) => {
      for (const membership of this.memberships) membership.startDraining(graceMs);
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
    this.place = { host, port, version };
    if (this.host.phase === 'running') this.join();
  }

  stop(): void {
    this.place = undefined;
    this.leave();
  }

  private join(): void {
    if (this.place === undefined) return;
    for (const membership of this.memberships) membership.join();
    this.reportEvery(this.reportIntervalMs);
  }

  private leave(): void {
    clearInterval(this.reportTimer);
    clearTimeout(this.changeTimer);
    this.changeTimer = undefined;
    for (const membership of this.memberships) membership.leave();
  }

  private registration() {
    const { host, port, version } = this.place!; // nobody joins before there is one
    const reached = { target: `${host}:${port}`, ...this.kv };
    return registrationOf(
      this.identity,
      this.host.engine.describe(),
      this.meter,
      reached,
      this.adapters.loaded(),
      version,
    );
  }

  private joinedTargets(): string[] {
    return this.memberships.filter(({ isJoined }) => isJoined).map(({ target }) => target);
  }

  /** Schedulers learn of each other by what is reported. */
  private changed(reportIntervalMs = 0): void {
    if (this.place === undefined) return;
    if (reportIntervalMs > 0 && reportIntervalMs !== this.reportIntervalMs) this.reportEvery(reportIntervalMs);
    this.reportSoon();
  }

  private reportEvery(intervalMs: number): void {
    clearInterval(this.reportTimer);
    this.reportIntervalMs = intervalMs;
    this.reportTimer = setInterval(() => {
      this.reporter.measure();
      this.report(true);
    }, intervalMs);
  }

  private reportSoon(): void {
    this.changeTimer ??= setTimeout(() => {
      this.changeTimer = undefined;
      this.report(false);
    }, CHANGE_DELAY_MS);
  }

  private report(isDue: boolean): void {
    for (const membership of this.memberships) membership.report(isDue);
  }
}
