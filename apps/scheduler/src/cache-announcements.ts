import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import type { CacheEvent, CacheRegistration, FleetDirective } from '#lib/contracts';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { Attention, type CacheFleet } from '#lib/placement';
import { KvIndexSweep } from './kv-index-sweep.js';
import { PlacementDesk } from './placement-desk.js';
import { nowMs } from './scheduler-clock.js';
import { HYDRA_CONFIG } from './scheduler-config.js';
import { SnapshotRequest } from './snapshot-request.js';

export type AnnounceCall = ServerDuplexStream<CacheEvent, FleetDirective>;

/** How often silence is looked for, within the time that a cache may be silent. */
const LOOKS_PER_TIMEOUT = 10;

/** A cache's event that cannot be taken; it ends the stream. */
class RefusedEventError extends Error {
  constructor(
    readonly code: status,
    message: string,
  ) {
    super(message);
  }
}

/** One `Announce` stream, and who is on it once it has said so. */
interface Announcement {
  readonly call: AnnounceCall;
  readonly snapshots: SnapshotRequest;
  cacheId: string;
  cacheEpoch: number;
  isOver: boolean;
}

/**
 * The `Announce` streams. What a cache holds is known through the stream that it opened last: that stream's end makes it forgotten at once;
 * the end of an older one changes nothing.
 */
@Injectable()
export class CacheAnnouncements implements BeforeApplicationShutdown {
  private readonly caches: CacheFleet;
  private readonly sweep: KvIndexSweep;
  private readonly byCache = new Map<string, Announcement>();
  private readonly open = new Set<Announcement>();
  private readonly attention: Attention;
  private readonly attentionTimer: NodeJS.Timeout;

  constructor(
    private readonly desk: PlacementDesk,
    @Inject(HYDRA_CONFIG) private readonly config: HydraConfig,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {
    this.caches = desk.caches;
    this.sweep = new KvIndexSweep(desk.caches);
    const intervalMs = Math.ceil(config.scheduler.workerTimeoutMs / LOOKS_PER_TIMEOUT);
    this.attention = new Attention(intervalMs, nowMs());
    this.attentionTimer = setInterval(() => this.attend(), intervalMs);
    this.attentionTimer.unref();
  }

  announce(call: AnnounceCall): void {
    const snapshots = new SnapshotRequest(call, this.config.scheduler.reportIntervalMs);
    const announcement: Announcement = { call, snapshots, cacheId: '', cacheEpoch: 0, isOver: false };
    this.open.add(announcement);
    call.on('data', (event: CacheEvent) => this.take(event, announcement));
    call.on('end', () => {
      this.leave(announcement);
      call.end();
    });
    call.on('cancelled', () => this.leave(announcement));
    call.on('close', () => this.leave(announcement));
    call.on('error', (error) => {
      this.logger.debug({ kvcache: announcement.cacheId, error }, 'announce stream broke');
      this.leave(announcement);
    });
  }

  beforeApplicationShutdown(): void {
    clearInterval(this.attentionTimer);
    for (const announcement of [...this.open]) {
      announcement.isOver = true;
      this.fail(announcement, status.UNAVAILABLE, 'the scheduler is shutting down');
    }
  }

  private take(event: CacheEvent, announcement: Announcement): void {
    if (announcement.isOver) return;
    try {
      this.apply(event, announcement);
    } catch (error) {
      // Anything thrown in a stream's handler would end the process.
      const isRefused = error instanceof RefusedEventError;
      if (!isRefused) this.logger.error({ kvcache: announcement.cacheId, error }, 'announce failed');
      this.leave(announcement);
      this.fail(
        announcement,
        isRefused ? error.code : status.INTERNAL,
        isRefused ? error.message : 'the event could not be taken',
      );
    }
  }

  private apply({ event }: CacheEvent, announcement: Announcement): void {
    const { cacheId, cacheEpoch, snapshots } = announcement;
    if ((cacheId === '') !== (event?.$case === 'registration')) {
      throw new RefusedEventError(status.INVALID_ARGUMENT, 'a stream begins with its only registration');
    }
    switch (event?.$case) {
      case 'registration':
        this.register(event.value, announcement);
        break;
      case 'kvEvents':
        snapshots.noteReceived(event.value);
        if (this.caches.apply(cacheId, cacheEpoch, event.value, nowMs()) === 'needs-snapshot') snapshots.ask();
        this.sweep.wake(); // a snapshot begins with nothing
        break;
      case undefined: // an event of a later version
        break;
      default:
        event satisfies never;
    }
  }

  private register(registration: CacheRegistration, announcement: Announcement): void {
    const { cacheId, cacheEpoch, target } = registration;
    if (cacheId === '' || target === '') {
      throw new RefusedEventError(status.INVALID_ARGUMENT, 'a registration needs a cache id and a target');
    }
    const outcome = this.caches.register(registration, nowMs());
    this.sweep.wake();
    const about = { kvcache: cacheId, epoch: cacheEpoch, target };
    if (outcome.kind === 'full') throw new RefusedEventError(status.RESOURCE_EXHAUSTED, 'too many caches are followed');
    if (outcome.kind === 'superseded') {
      this.logger.warn({ ...about, by_epoch: outcome.byEpoch }, 'old cache refused');
      this.supersede(announcement, outcome.byEpoch);
      return;
    }
    this.logger.info(about, `cache of KV blocks ${outcome.kind}`);
    Object.assign(announcement, { cacheId, cacheEpoch });
    const earlier = this.byCache.get(cacheId);
    this.byCache.set(cacheId, announcement);
    if (earlier !== undefined) this.supersede(earlier, cacheEpoch);
    const { schedulerId, schedulerEpoch } = this.desk;
    const { reportIntervalMs } = this.config.scheduler;
    const accepted = { schedulerId, schedulerEpoch, reportIntervalMs };
    announcement.call.write({ directive: { $case: 'accepted', value: accepted } });
  }

  private supersede(announcement: Announcement, byEpoch: number): void {
    announcement.isOver = true;
    this.open.delete(announcement);
    announcement.call.write({ directive: { $case: 'superseded', value: { byEpoch } } });
    announcement.call.end();
  }

  /** Who is silent for too long, while this process ran, is forgotten; should it still be there, it is to come again. */
  private attend(): void {
    const now = nowMs();
    const awayMs = this.attention.comeBy(now);
    if (awayMs > 0) this.caches.excuse(awayMs, now);
    const silent = this.caches.expire(now);
    this.sweep.wake();
    for (const { cacheId } of silent) {
      this.logger.warn({ kvcache: cacheId }, 'cache of KV blocks forgotten: it was silent');
      const announcement = this.byCache.get(cacheId);
      this.byCache.delete(cacheId);
      if (announcement === undefined || announcement.isOver) continue;
      announcement.isOver = true;
      this.fail(announcement, status.DEADLINE_EXCEEDED, 'nothing was heard for too long; announce again');
    }
  }

  /** The stream is of no more use: what its cache holds, if it has one, is not known any more. */
  private leave(announcement: Announcement): void {
    this.open.delete(announcement);
    if (announcement.isOver) return;
    announcement.isOver = true;
    const { cacheId, cacheEpoch } = announcement;
    if (this.byCache.get(cacheId) !== announcement) return;
    this.byCache.delete(cacheId);
    this.caches.remove(cacheId, cacheEpoch);
    this.sweep.wake();
    this.logger.info({ kvcache: cacheId }, 'cache of KV blocks forgotten: its stream ended');
  }

  private fail(announcement: Announcement, code: status, details: string): void {
    this.open.delete(announcement);
    announcement.call.emit('error', { code, details });
  }
}
