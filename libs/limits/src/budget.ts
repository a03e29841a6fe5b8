import { type LimitName, type Limits } from './limits.js';
import { PERIODS, type Period, periodLeftMs, periodNumber } from './period.js';
import { NANOS_PER_MICRO } from './price.js';

/** Tokens, and what they cost in billionths of a currency unit. */
export interface Amount {
  readonly tokens: number;
  readonly nanos: number;
}

/** What a reservation took of one period. */
interface Share extends Amount {
  readonly period: number;
}

/** What a reservation holds: of the day and the month that its last slice was taken in. */
export type Holding = Readonly<Record<Period, Share>>;

interface Counts {
  period: number;
  settled: Amount;
  reserved: Amount;
}

interface Bound {
  readonly name: LimitName;
  readonly period: Period;
  readonly unit: keyof Amount;
  /** In the unit. */
  readonly limit: number;
}

/** A limit that leaves less than is needed. */
export interface Shortage {
  readonly name: LimitName;
  readonly limit: number;
  readonly used: number;
  readonly asked: number;
  readonly retryAfterMs: number;
}

/** A reservation that was not granted because of others that still run may be granted as soon as they end. */
const RETRY_WHILE_RESERVED_MS = 1_000;
export const NOTHING: Amount = { tokens: 0, nanos: 0 };

export const NO_HOLDING: Holding = {
  day: { period: Number.NaN, ...NOTHING },
  month: { period: Number.NaN, ...NOTHING },
};

/** What is settled and reserved in the present day and month. What a slice takes counts for the period it is taken in. */
export class Budget {
  private readonly counts: Record<Period, Counts> = {
    day: { period: Number.NaN, settled: NOTHING, reserved: NOTHING },
    month: { period: Number.NaN, settled: NOTHING, reserved: NOTHING },
  };

  /** The first limit that `least` does not fit in. @param own  what whoever asks holds already: it is not waited for */
  shortage(limits: Limits, least: Amount, nowMs: number, own: Holding = NO_HOLDING): Shortage | undefined {
    for (const { name, period, unit, limit } of boundsOf(limits)) {
      const counts = this.at(period, nowMs);
      const { settled, reserved } = counts;
      const used = settled[unit] + reserved[unit];
      const asked = least[unit];
      if (used + asked <= limit) continue;
      const fitsLater = settled[unit] + shareIn(counts, own[period])[unit] + asked <= limit;
      const retryAfterMs = asked > limit ? Infinity : fitsLater ? RETRY_WHILE_RESERVED_MS : periodLeftMs(period, nowMs);
      const shown = (value: number) => (unit === 'nanos' ? value / NANOS_PER_MICRO : value);
      return { name, limit: shown(limit), used: shown(used), asked: shown(asked), retryAfterMs };
    }
    return undefined;
  }

  /** Most tokens, up to `most`, that fit at this price beside `base`. */
  room(limits: Limits, base: Amount, nanosPerToken: number, most: number, nowMs: number): number {
    let room = most;
    for (const { period, unit, limit } of boundsOf(limits)) {
      const { settled, reserved } = this.at(period, nowMs);
      const left = limit - settled[unit] - reserved[unit] - base[unit];
      const each = unit === 'tokens' ? 1 : nanosPerToken;
      if (each > 0) room = Math.min(room, Math.floor(left / each));
    }
    return room;
  }

  /** @param held  what the reservation holds already @returns what it holds then */
  reserve(amount: Amount, held: Holding, nowMs: number): Holding {
    const take = (period: Period): Share => {
      const counts = this.at(period, nowMs);
      counts.reserved = plus(counts.reserved, amount);
      return { period: counts.period, ...plus(shareIn(counts, held[period]), amount) };
    };
    return { day: take('day'), month: take('month') };
  }

  /** Turns what is held into what was used. @param unused  of all that was ever reserved; the last slices first */
  settle(held: Holding, unused: Amount, nowMs: number): void {
    for (const period of PERIODS) {
      const counts = this.at(period, nowMs);
      const share = held[period];
      if (share.period !== counts.period) continue; // what it held is over with its period
      const back = {
        tokens: Math.min(unused.tokens, share.tokens),
        nanos: Math.min(unused.nanos, share.nanos),
      };
      counts.reserved = minus(counts.reserved, share);
      counts.settled = plus(counts.settled, minus(share, back));
    }
  }

  /** Counts what was used before. */
  restore(period: Period, amount: Amount, nowMs: number): void {
    const counts = this.at(period, nowMs);
    counts.settled = plus(counts.settled, amount);
  }

  /** Whether nothing counts at present. */
  isEmpty(nowMs: number): boolean {
    return PERIODS.every((period) => {
      const { settled, reserved } = this.at(period, nowMs);
      return settled.tokens + settled.nanos + reserved.tokens + reserved.nanos === 0;
    });
  }

  private at(period: Period, nowMs: number): Counts {
    const counts = this.counts[period];
    const present = periodNumber(period, nowMs);
    if (counts.period !== present) Object.assign(counts, { period: present, settled: NOTHING, reserved: NOTHING });
    return counts;
  }
}

/** What a holding took of the present period. */
function shareIn(counts: Counts, share: Share): Amount {
  return share.period === counts.period ? share : NOTHING;
}

function boundsOf(limits: Limits): Bound[] {
  const bounds: Bound[] = [];
  const add = (name: LimitName, period: Period, unit: keyof Amount, factor: number) => {
    const limit = limits[name];
    if (limit !== undefined) bounds.push({ name, period, unit, limit: limit * factor });
  };
  add('tokensPerDay', 'day', 'tokens', 1);
  add('tokensPerMonth', 'month', 'tokens', 1);
  add('costMicrosPerDay', 'day', 'nanos', NANOS_PER_MICRO);
  add('costMicrosPerMonth', 'month', 'nanos', NANOS_PER_MICRO);
  return bounds;
}

function plus(a: Amount, b: Amount): Amount {
  return { tokens: a.tokens + b.tokens, nanos: a.nanos + b.nanos };
}

function minus(a: Amount, b: Amount): Amount {
  return { tokens: a.tokens - b.tokens, nanos: a.nanos - b.nanos };
}
