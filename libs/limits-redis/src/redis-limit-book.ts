import {
  type BeginDecision,
  type ExtendDecision,
  firstSliceTokens,
  LIMIT_NAMES,
  LimitBook,
  type LimitedSubject,
  type LimitName,
  type LimitRefusal,
  type LimitState,
  LimitsUnavailableError,
  NANOS_PER_MICRO,
  periodLeftMs,
  type Reservation,
  type Settlement,
} from '#lib/limits';
import type { RedisClient } from '#lib/redis';
import { runScript, tenantKeys } from './redis-scripts.js';
import { type TakeEntries, TenantKeeper } from './tenant-keeper.js';

export interface RedisBookOptions {
  /** Unique to this life of the process. */
  readonly gatewayId: string;
  /** Takes entries for the ledger; may be given one again. */
  readonly takeEntries: TakeEntries;
  /** Told of what is tried again. */
  readonly onFailure: (error: unknown) => void;
}

/** A gateway that is not heard of for so long is dead: its slices are charged, the rest of what it held is free. */
export const LEASE_MS = 3_000;
/** Entries of a tenant that may wait for the ledger; then nothing more of it is let in. */
const MAX_OUTBOX_ENTRIES = 20_000;

type Shortage = readonly [subject: number, which: number, limit: number, used: number, asked: number, waitMs: number];
type WindowState = readonly [limit: number, remaining: number, resetMs: number];
type BeginReply =
  | readonly [1, covered: number, WindowState]
  | readonly [0, Shortage, WindowState, nowMs: number]
  | readonly [2];
type ExtendReply = readonly [1, covered: number] | readonly [0, Shortage, nowMs: number] | readonly [2];

/** The codes of the scripts for a time to come back. */
const NEVER = -1;
const WITH_THE_PERIOD = -2;

/** Counts in Redis, for many gateways. Each step is one script; see scripts/shared.ts for what is kept. */
export class RedisLimitBook extends LimitBook {
  private readonly keeper: TenantKeeper;

  constructor(
    private readonly client: RedisClient,
    private readonly options: RedisBookOptions,
  ) {
    super();
    this.keeper = new TenantKeeper(client, { ...options, leaseMs: LEASE_MS });
  }

  async begin(reservation: Reservation): Promise<BeginDecision> {
    if (this.keeper.isBehind) throw new LimitsUnavailableError('more settlements wait for Redis than may');
    const { id, tenantId, subjects, price, promptTokens, outputTokens, leastOutputTokens } = reservation;
    const values = [
      ...[id, this.options.gatewayId, LEASE_MS, promptTokens, outputTokens, leastOutputTokens],
      firstSliceTokens(reservation),
      ...[price.input, price.cachedInput, price.output, JSON.stringify(reservation.about), MAX_OUTBOX_ENTRIES],
      ...subjects.flatMap(figuresOf),
    ];
    let reply: BeginReply;
    try {
      const announced = this.keeper.hold(tenantId, id);
      [reply] = await Promise.all([this.run('hydraBegin', tenantId, values) as Promise<BeginReply>, announced]);
    } catch (cause) {
      this.keeper.end(tenantId, id, NOTHING); // it may have been reserved all the same
      throw unavailable(cause);
    }
    if (reply[0] === 1) return { isAllowed: true, coveredTokens: reply[1], tokens: toState(reply[2]) };
    this.keeper.drop(tenantId, id);
    if (reply[0] === 2) throw new LimitsUnavailableError('more usage waits for the ledger than may');
    return { ...toRefusal(subjects, reply[1], reply[3]), tokens: toState(reply[2]) };
  }

  async extend({ id, tenantId, subjects }: Reservation, least: number, most: number): Promise<ExtendDecision> {
    let reply: ExtendReply;
    try {
      reply = (await this.run('hydraExtend', tenantId, [
        id,
        least,
        most,
        ...subjects.flatMap(figuresOf),
      ])) as ExtendReply;
    } catch (cause) {
      throw unavailable(cause);
    }
    switch (reply[0]) {
      case 1:
        return { kind: 'covered', coveredTokens: reply[1] };
      case 0:
        return { kind: 'refused', refusal: toRefusal(subjects, reply[1], reply[2]) };
      default:
        this.keeper.drop(tenantId, id);
        return { kind: 'lapsed' };
    }
  }

  settle({ id, tenantId }: Reservation, settlement: Settlement): void {
    this.keeper.end(tenantId, id, settlement);
  }

  /** Tells what was settled, and brings to the ledger what waits for it; it happens by itself every second. */
  tend(): Promise<void> {
    return this.keeper.tend();
  }

  /** Tells all that was settled; then nothing more may be begun. */
  close(): Promise<void> {
    return this.keeper.close();
  }

  private run(name: 'hydraBegin' | 'hydraExtend', tenantId: string, values: readonly (string | number)[]) {
    return runScript(this.client, name, tenantKeys(tenantId), values);
  }
}

/** Those of the scripts, in their order; requests by the minute are counted by one of their own. */
const COUNTED_LIMITS = LIMIT_NAMES.slice(1);

const NOTHING: Settlement = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, outcome: 'ended-early' };

function unavailable(cause: unknown): LimitsUnavailableError {
  return new LimitsUnavailableError('Redis cannot be reached', { cause });
}

/** A subject as the scripts read it. */
function figuresOf({ id, limits }: LimitedSubject): (string | number)[] {
  const figures = COUNTED_LIMITS.map((name) => {
    const limit = limits[name];
    return limit === undefined ? -1 : limit * unitOf(name);
  });
  return [id, ...figures];
}

/** In what the scripts count it, of what it is given in: money in billionths. */
function unitOf(name: LimitName): number {
  return name.startsWith('cost') ? NANOS_PER_MICRO : 1;
}

function toState([limit, remaining, resetMs]: WindowState): LimitState | undefined {
  return limit === -1 ? undefined : { limit, remaining, resetMs };
}

function toRefusal(
  subjects: readonly LimitedSubject[],
  [subject, which, limit, used, asked, waitMs]: Shortage,
  nowMs: number,
): LimitRefusal {
  const name = LIMIT_NAMES[which] ?? 'tokensPerMinute'; // the scripts count them in this order, and Lua from 1
  const shown = (value: number) => value / unitOf(name);
  const period = name.endsWith('Month') ? 'month' : 'day';
  const retryAfterMs = waitMs === NEVER ? Infinity : waitMs === WITH_THE_PERIOD ? periodLeftMs(period, nowMs) : waitMs;
  return {
    ...{ isAllowed: false, subjectId: subjects[subject - 1]?.id ?? '', name, retryAfterMs },
    ...{ limit: shown(limit), used: shown(used), asked: shown(asked) },
  };
}
