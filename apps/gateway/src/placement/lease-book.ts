import { setImmediate as nextTurn } from 'node:timers/promises';
import { callUnary } from '#lib/channels';
import type { LeaseRelease, PlacementClient } from '#lib/contracts';
import type { Logger } from '#lib/observability';
import type { PlaceStream } from './place-stream.js';

const CALL_TIMEOUT_MS = 2_000;
/** Releases that may wait while the scheduler does not answer; further ones are dropped: their leases expire. */
const MAX_WAITING_RELEASES = 8_192;
const MAX_LOGGED_LEASES = 20;

/** The leases of one scheduler for what runs: renewed together every third of their life, released together with what they used, on the stream of places where the scheduler takes them. */
export class LeaseBook {
  private readonly held = new Set<string>();
  private releases: LeaseRelease[] = [];
  private renewTimer: NodeJS.Timeout | undefined;
  private renewEveryMs = Number.POSITIVE_INFINITY;
  private flushing: Promise<void> | undefined;

  constructor(
    private readonly placement: PlacementClient,
    private readonly places: PlaceStream,
    private readonly logger: Logger,
  ) {}

  hold(leaseId: string, leaseTtlMs: number): void {
    this.held.add(leaseId);
    const everyMs = Math.max(100, leaseTtlMs / 3);
    if (this.renewTimer !== undefined && everyMs >= this.renewEveryMs) return;
    clearInterval(this.renewTimer);
    this.renewEveryMs = everyMs;
    this.renewTimer = setInterval(() => void this.renew(), everyMs).unref();
  }

  release(release: LeaseRelease): void {
    if (!this.held.delete(release.leaseId) || this.releases.length >= MAX_WAITING_RELEASES) return;
    this.releases.push(release);
    this.flushing ??= this.flush();
  }

  /** Nothing is renewed any more; resolves when all that ended is given back. */
  async close(): Promise<void> {
    clearInterval(this.renewTimer);
    await this.flushing;
    await nextTurn(); // what went over the stream of places has left
  }

  private async renew(): Promise<void> {
    if (this.held.size === 0) return;
    const method = this.placement.renewLeases.bind(this.placement);
    try {
      const request = { leaseIds: [...this.held] };
      const { unknownLeaseIds } = await callUnary(method, request, { timeoutMs: CALL_TIMEOUT_MS, retries: 1 });
      this.forget(unknownLeaseIds);
    } catch (error) {
      this.logger.warn({ reason: String(error), leases: this.held.size }, 'cannot renew leases');
    }
  }

  /** Their scheduler is gone, or gave their places away: what they are for goes on, and ends without a word to it. */
  private forget(unknownLeaseIds: readonly string[]): void {
    const lost = unknownLeaseIds.filter((leaseId) => this.held.delete(leaseId)); // some have just been released
    if (lost.length === 0) return;
    const lease_ids = lost.slice(0, MAX_LOGGED_LEASES);
    this.logger.warn(
      { leases: lost.length, lease_ids },
      'the scheduler does not know these leases: not renewed any more',
    );
  }

  private async flush(): Promise<void> {
    const method = this.placement.releaseLeases.bind(this.placement);
    await nextTurn(); // those of one tick travel together
    while (this.releases.length > 0) {
      const releases = this.releases;
      this.releases = [];
      if (this.places.release(releases)) continue;
      await callUnary(method, { releases }, { timeoutMs: CALL_TIMEOUT_MS, retries: 1 }).catch((error) =>
        this.logger.warn({ reason: String(error), leases: releases.length }, 'cannot release leases; they expire'),
      );
    }
    this.flushing = undefined;
  }
}
