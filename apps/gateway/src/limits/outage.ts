import type { ThrottlerStorage } from '@nestjs/throttler';
import {
  type BeginDecision,
  type ExtendDecision,
  LimitBook,
  type Limits,
  LimitsUnavailableError,
  type Reservation,
  type Settlement,
} from '#lib/limits';

/**
 * What holds while Redis cannot be reached, decided here and nowhere else: `closed`, nothing is let in; `local`, each gateway lets
 * in a share of every limit and counts it for itself.
 */
export class OutagePolicy {
  /** @param shareNow  of every limit, 0 to 1; undefined: closed @param told  of each decision that was made without Redis */
  constructor(
    private readonly shareNow: () => number | undefined,
    private readonly told: (decision: 'refused' | 'counted-locally') => void,
  ) {}

  /** @returns the share of the limits that is counted locally @throws what Redis was unreachable with */
  shareOrThrow(cause: unknown): number {
    const share = this.shareNow();
    this.told(share === undefined ? 'refused' : 'counted-locally');
    if (share === undefined) throw cause;
    return share;
  }
}

/**
 * A shared limit book with a local one for outages. An answer stays with the book that it began with: one that was reserved in
 * Redis goes on to the end of its slice, and further when Redis is back by then.
 */
export class OutageBook extends LimitBook {
  private readonly local = new Map<string, Reservation>();

  constructor(
    private readonly shared: LimitBook,
    private readonly inMemory: LimitBook,
    private readonly policy: OutagePolicy,
  ) {
    super();
  }

  async begin(reservation: Reservation): Promise<BeginDecision> {
    try {
      return await this.shared.begin(reservation);
    } catch (cause) {
      if (!(cause instanceof LimitsUnavailableError)) throw cause;
      const share = this.policy.shareOrThrow(cause);
      const subjects = reservation.subjects.map((one) => ({ ...one, limits: shareOf(one.limits, share) }));
      const bounded = { ...reservation, subjects };
      const decision = await this.inMemory.begin(bounded);
      if (decision.isAllowed) this.local.set(reservation.id, bounded);
      return decision;
    }
  }

  extend(reservation: Reservation, least: number, most: number): Promise<ExtendDecision> | ExtendDecision {
    const local = this.local.get(reservation.id);
    return local === undefined
      ? this.shared.extend(reservation, least, most)
      : this.inMemory.extend(local, least, most);
  }

  settle(reservation: Reservation, settlement: Settlement): void {
    const local = this.local.get(reservation.id);
    if (local === undefined) this.shared.settle(reservation, settlement);
    else this.inMemory.settle(local, settlement);
    this.local.delete(reservation.id);
  }
}

/** The throttler's storage with a local one for outages. */
export class OutageWindows implements ThrottlerStorage {
  constructor(
    private readonly shared: ThrottlerStorage,
    private readonly inMemory: ThrottlerStorage,
    private readonly policy: OutagePolicy,
  ) {}

  async increment(key: string, ttl: number, limit: number, blockDuration: number, name: string) {
    try {
      return await this.shared.increment(key, ttl, limit, blockDuration, name);
    } catch (cause) {
      const share = this.policy.shareOrThrow(new LimitsUnavailableError('Redis cannot be reached', { cause }));
      return this.inMemory.increment(key, ttl, atLeastOne(limit * share), blockDuration, name);
    }
  }
}

function shareOf(limits: Limits, share: number): Limits {
  const parts = Object.entries(limits).map(([name, limit]) => [
    name,
    limit === undefined ? undefined : atLeastOne(Number(limit) * share),
  ]);
  return Object.fromEntries(parts) as Limits;
}

function atLeastOne(limit: number): number {
  return Math.max(1, Math.floor(limit));
}
