import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import type { CacheEvent, CacheRegistration, FleetDirective, KvEvents } from '#lib/contracts';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { Attention, type CacheFleet } from '#lib/placement';
import { KvIndexSweep } from './kv-index-sweep.js';
import { type MemberStream, MemberStreams, RefusedEventError } from './member-streams.js';
import { PlacementDesk } from './placement-desk.js';
import { nowMs } from './scheduler-clock.js';
import { HYDRA_CONFIG } from './scheduler-config.js';

export type AnnounceCall = ServerDuplexStream<CacheEvent, FleetDirective>;
type Announcement = MemberStream<CacheEvent>;

/** How often silence is looked for, within the time that a cache may be silent. */
const LOOKS_PER_TIMEOUT = 10;

/** The `Announce` streams: what a cache holds is known through the one that it opened last, and forgotten with it. */
@Injectable()
export class CacheAnnouncements implements BeforeApplicationShutdown {
  private readonly caches: CacheFleet;
  private readonly sweep: KvIndexSweep;
  private readonly streams: MemberStreams<CacheEvent>;
  private readonly attention: Attention;
  private readonly attentionTimer: NodeJS.Timeout;

  constructor(
    private readonly desk: PlacementDesk,
    @Inject(HYDRA_CONFIG) private readonly config: HydraConfig,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {
    this.caches = desk.caches;
    this.sweep = new KvIndexSweep(desk.caches);
    this.streams = new MemberStreams({
      member: 'kvcache',
      reportIntervalMs: config.scheduler.reportIntervalMs,
      logger,
      onEvent: (event, announcement) => this.apply(event, announcement),
      onLeave: (announcement) => this.forget(announcement),
    });
    const intervalMs = Math.ceil(config.scheduler.workerTimeoutMs / LOOKS_PER_TIMEOUT);
    this.attention = new Attention(intervalMs, nowMs());
    this.attentionTimer = setInterval(() => this.attend(), intervalMs);
    this.attentionTimer.unref();
  }

  announce(call: AnnounceCall): void {
    this.streams.accept(call);
  }

  beforeApplicationShutdown(): void {
    clearInterval(this.attentionTimer);
    this.streams.shutDown();
  }

  private apply({ event }: CacheEvent, announcement: Announcement): void {
    if ((announcement.memberId === '') !== (event?.$case === 'registration')) {
      throw new RefusedEventError('a stream begins with its only registration');
    }
    switch (event?.$case) {
      case 'registration':
        this.register(event.value, announcement);
        break;
      case 'kvEvents':
        this.applyKvEvents(event.value, announcement);
        break;
      case undefined: // an event of a later version
        break;
      default:
        event satisfies never;
    }
  }

  private applyKvEvents(events: KvEvents, announcement: Announcement): void {
    const { memberId, memberEpoch } = announcement;
    announcement.received(events);
    if (this.caches.apply(memberId, memberEpoch, events, nowMs()) === 'needs-snapshot') announcement.askForSnapshot();
    this.sweep.wake(); // a snapshot begins with nothing
  }

  private register(registration: CacheRegistration, announcement: Announcement): void {
    const { cacheId, cacheEpoch, target } = registration;
    if (cacheId === '' || target === '') throw new RefusedEventError('a registration needs a cache id and a target');
    const outcome = this.caches.register(registration, nowMs());
    this.sweep.wake();
    const about = { kvcache: cacheId, epoch: cacheEpoch, target };
    if (outcome.kind === 'full') throw new RefusedEventError('too many caches are followed', status.RESOURCE_EXHAUSTED);
    if (outcome.kind === 'superseded') {
      this.logger.warn({ ...about, by_epoch: outcome.byEpoch }, 'old cache refused');
      this.streams.supersede(announcement, outcome.byEpoch);
      return;
    }
    this.logger.info(about, `cache of KV blocks ${outcome.kind}`);
    this.streams.enter(announcement, cacheId, cacheEpoch);
    const { schedulerId, schedulerEpoch } = this.desk;
    const { reportIntervalMs } = this.config.scheduler;
    announcement.tell({ $case: 'accepted', value: { schedulerId, schedulerEpoch, reportIntervalMs } });
  }

  /** Who is silent for too long, while this process ran, is forgotten; should it still be there, it is to come again. */
  private attend(): void {
    const now = nowMs();
    const awayMs = this.attention.comeBy(now);
    if (awayMs > 0) this.caches.excuse(awayMs, now);
    const silent = this.caches.expire(now);
    this.sweep.wake();
    for (const { cacheId, cacheEpoch } of silent) {
      this.logger.warn({ kvcache: cacheId }, 'cache of KV blocks forgotten: it was silent');
      this.streams.dismiss(cacheId, cacheEpoch, 'nothing was heard for too long; announce again');
    }
  }

  private forget({ memberId, memberEpoch }: Announcement): void {
    this.caches.remove(memberId, memberEpoch);
    this.sweep.wake();
    this.logger.info({ kvcache: memberId }, 'cache of KV blocks forgotten: its stream ended');
  }
}
