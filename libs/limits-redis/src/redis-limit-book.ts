import {
  type Amount,
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
  PERIODS,
  type Period,
  periodLeftMs,
  periodNumber,
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
  /**
   * What a subject has used in the day and the month that `nowMs` is in, as the ledger says; asked for subjects that Redis does not count
   * yet, or any more. Absent: they begin at nothing.
   */
  readonly usedBefore?: (tenantId: string, subject: LimitedSubject, nowMs: number) => Promise<UsedBefore>;
}

export type UsedBefore = Readonly<Record<Period, Amount>>;

/** A gateway that is not heard of for so long is dead: its slices are charged, the rest of what it held is free. */
export const LEASE_MS = 3_000;
/** Entries of a tenant that may wait for the ledger; then nothing more of it is let in. */
const MAX_OUTBOX_ENTRIES = 20_000;

type Shortage = readonly [subject: number, which: number, limit: number, used: number, asked: number, waitMs: number];
type WindowState = readonly [limit: number, remaining: number, resetMs: number];
type BeginReply =
  | readonly [1, covered: number, WindowState, life: string]
  | readonly [0, Shortage, WindowState, nowMs: number]
  | readonly [2]
  | readonly [3, nowMs: number, uncounted: readonly number[]];
type ExtendReply = readonly [1, covered: number] | readonly [0, Shortage, nowMs: number] | readonly [2];

/** The codes of the scripts for a time to come back. */
const NEVER = -1;
const WITH_THE_PERIOD = -2;

/** Counts in Redis, for many gateways. Each step is one script; see scripts/shared.ts for what is kept. */
export class RedisLimitBook extends LimitBook {
  private readonly keeper: TenantKeeper;
  /** By reservation: the life of its tenant's keys in which it was made. */
  private readonly lives = new Map<string, string>();
  /** By tenant and subjects: many requests at once are one question to the ledger. */
  private readonly restoring = new Map<string, Promise<void>>();

  constructor(
    private readonly client: RedisClient,
    private readonly options: RedisBookOptions,
  ) {
    super();
    this.keeper = new TenantKeeper(client, { ...options, leaseMs: LEASE_MS });
  }

  async begin(reservation: Reservation): Promise<BeginDecision> {
    if (this.keeper.isBehind) throw new LimitsUnavailableError('more settlements wait for Redis than may');
    const { id, tenantId, subjects } = reservation;
    let reply: BeginReply;
    try {
      const announced = this.keeper.hold(tenantId, id);
      [reply] = await Promise.all([this.reserve(reservation, this.options.usedBefore !== undefined), announced]);
    } catch (cause) {
      this.keeper.end(tenantId, { id, settlement: NOTHING, ifForgotten: ['', ...figuresToCharge(reservation)] }); // it may have been reserved all the same
      throw unavailable(cause);
    }
    switch (reply[0]) {
      case 1:
        this.lives.set(id, reply[3]);
        return { isAllowed: true, coveredTokens: reply[1], tokens: toState(reply[2]) };
      case 0:
        this.keeper.drop(tenantId, id);
        return { ...toRefusal(subjects, reply[1], reply[3]), tokens: toState(reply[2]) };
      case 2:
        this.keeper.drop(tenantId, id);
        throw new LimitsUnavailableError('more usage waits for the ledger than may');
      default:
        this.keeper.drop(tenantId, id);
        throw new LimitsUnavailableError('what was used before cannot be counted'); // not answered to what did not ask
    }
  }

  /** @param asksBack  whether subjects that Redis does not count are looked up in the ledger first */
  private async reserve(reservation: Reservation, asksBack: boolean): Promise<BeginReply> {
    const { id, tenantId, subjects, price, promptTokens, outputTokens, leastOutputTokens } = reservation;
    const reply = (await this.run('hydraBegin', tenantId, [
      ...[id, this.options.gatewayId, LEASE_MS, promptTokens, outputTokens, leastOutputTokens],
      firstSliceTokens(reservation),
      ...[price.input, price.cachedInput, price.output, JSON.stringify(reservation.about), MAX_OUTBOX_ENTRIES],
      asksBack ? 1 : 0,
      ...subjects.flatMap(figuresOf),
    ])) as BeginReply;
    if (reply[0] !== 3) return reply;
    const uncounted = subjects.filter((_, index) => reply[2].includes(index + 1)); // Lua counts from 1
    const name = JSON.stringify([tenantId, ...uncounted.map((subject) => subject.id)]);
    let restored = this.restoring.get(name);
    if (restored === undefined) {
      restored = this.restore(tenantId, uncounted, reply[1]).finally(() => this.restoring.delete(name));
      this.restoring.set(name, restored);
    }
    await restored;
    return this.reserve(reservation, false);
  }

  /** What waits for the ledger gets there first, so that the ledger knows all that was settled. */
  private async restore(tenantId: string, subjects: readonly LimitedSubject[], nowMs: number): Promise<void> {
    await this.keeper.emptyOutbox(tenantId);
    const figures = subjects.map(async (subject) => {
      const used = await this.options.usedBefore?.(tenantId, subject, nowMs);
      const ofPeriod = (period: Period) => [
        periodNumber(period, nowMs),
        used?.[period].tokens ?? 0,
        used?.[period].nanos ?? 0,
      ];
      return [subject.id, ...PERIODS.flatMap(ofPeriod)];
    });
    await this.run('hydraRestore', tenantId, (await Promise.all(figures)).flat());
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

  settle(reservation: Reservation, settlement: Settlement): void {
    const { id, tenantId } = reservation;
    const life = this.lives.get(id) ?? '';
    this.lives.delete(id);
    this.keeper.end(tenantId, { id, settlement, ifForgotten: [life, ...figuresToCharge(reservation)] });
  }

  /** Tells what was settled, and brings to the ledger what waits for it; it happens by itself every second. */
  tend(): Promise<void> {
    return this.keeper.tend();
  }

  /** Tells all that was settled; then nothing more may be begun. */
  close(): Promise<void> {
    return this.keeper.close();
  }

  private run(
    name: 'hydraBegin' | 'hydraExtend' | 'hydraRestore',
    tenantId: string,
    values: readonly (string | number)[],
  ) {
    return runScript(this.client, name, tenantKeys(tenantId), values);
  }
}

/** Those of the scripts, in their order; requests by the minute are counted by one of their own. */
const COUNTED_LIMITS = LIMIT_NAMES.slice(1);

const NOTHING: Settlement = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, outcome: 'ended-early' };

function unavailable(cause: unknown): LimitsUnavailableError {
  return new LimitsUnavailableError('Redis cannot be reached', { cause });
}

/** What a reservation is charged by when Redis has forgotten it. */
function figuresToCharge({ price, about, subjects }: Reservation): (string | number)[] {
  return [price.input, price.cachedInput, price.output, JSON.stringify(about), ...subjects.map(({ id }) => id)];
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
