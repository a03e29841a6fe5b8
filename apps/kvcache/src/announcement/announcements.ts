import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { ChannelSecurity } from '#lib/channels';
import { type HydraConfig, schedulerTargets } from '#lib/config';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { BlockTiers } from '../block-tiers.js';
import { HYDRA_CONFIG } from '../kvcache-config.js';
import { KvcacheMetrics } from '../kvcache-metrics.js';
import { SchedulerAnnouncement } from './scheduler-announcement.js';

/** Changes within this time go into one message, in milliseconds: as of workers. */
const CHANGE_DELAY_MS = 10;

/** Tells all schedulers what this cache holds in memory, so that they count on it. */
@Injectable()
export class Announcements implements BeforeApplicationShutdown {
  private readonly epoch = Date.now();
  private readonly all: readonly SchedulerAnnouncement[];
  private readonly name: string;
  private reportIntervalMs: number;
  private target: string | undefined;
  private intervalTimer: NodeJS.Timeout | undefined;
  private changeTimer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(HYDRA_CONFIG) config: HydraConfig,
    tiers: BlockTiers,
    metrics: KvcacheMetrics,
    @Inject(APP_LOGGER) logger: Logger,
    security: ChannelSecurity,
  ) {
    this.name = config.kvcache.name;
    this.reportIntervalMs = config.scheduler.reportIntervalMs;
    const parts = {
      ...{ security, logger, kvEvents: tiers.held.log },
      registration: () => ({ cacheId: this.name, cacheEpoch: this.epoch, target: this.target ?? '' }),
      accepted: (intervalMs: number) => this.repeatEvery(intervalMs),
    };
    this.all = schedulerTargets(config).map((one) => new SchedulerAnnouncement(one, parts, () => this.tellSoon()));
    metrics.watchSchedulers(() => this.all.filter(({ isFollowed }) => isFollowed).length);
  }

  /** @param target  under which workers reach this cache */
  begin(target: string): void {
    this.target = target;
    for (const announcement of this.all) announcement.begin();
    this.repeatEvery(this.reportIntervalMs);
  }

  /** Before the servers close: nobody is to count on what goes. */
  beforeApplicationShutdown(): void {
    this.target = undefined;
    clearInterval(this.intervalTimer);
    clearTimeout(this.changeTimer);
    for (const announcement of this.all) announcement.end();
  }

  private repeatEvery(intervalMs: number): void {
    if (this.target === undefined || (this.intervalTimer !== undefined && intervalMs === this.reportIntervalMs)) return;
    clearInterval(this.intervalTimer);
    this.reportIntervalMs = intervalMs;
    this.intervalTimer = setInterval(() => this.tell(true), intervalMs);
  }

  private tellSoon(): void {
    if (this.target === undefined) return;
    this.changeTimer ??= setTimeout(() => {
      this.changeTimer = undefined;
      this.tell(false);
    }, CHANGE_DELAY_MS);
  }

  private tell(isDue: boolean): void {
    for (const announcement of this.all) announcement.tell(isDue);
  }
}
