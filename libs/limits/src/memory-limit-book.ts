import { TransientMap } from '#lib/collections';
import { type Amount, Budget, type Holding, NO_HOLDING, NOTHING } from './budget.js';
import {
  type BeginDecision,
  type ExtendDecision,
  firstSliceTokens,
  LimitBook,
  type Reservation,
  type Settlement,
  type UsageEntry,
} from './limit-book.js';
import { type LimitedSubject, type LimitName, type LimitRefusal, type LimitState, tightest } from './limits.js';
import type { Period } from './period.js';
import { costNanos } from './price.js';
import { SlidingWindow, type WindowUse } from './sliding-window.js';

/** What is counted for one subject. It stays when its limits change: they are looked at anew with each request. */
interface Counter {
  running: number;
  readonly tokens: SlidingWindow;
  readonly budget: Budget;
  usedAtMs: number;
}

interface Part {
  readonly subject: LimitedSubject;
  readonly counter: Counter;
  readonly window: WindowUse;
  held: Holding;
}

interface Live {
  readonly parts: readonly Part[];
  coveredTokens: number;
}

const MINUTE_MS = 60_000;
/** A counter that nobody used for this long has nothing in its window. */
const FORGOTTEN_AFTER_MS = 2 * MINUTE_MS;
const SWEEP_INTERVAL_MS = MINUTE_MS;
const PLACE_RETRY_MS = 1_000;

/** Counts in memory, for one gateway. */
export class MemoryLimitBook extends LimitBook {
  private readonly counters = new Map<string, Counter>();
  private readonly live = new TransientMap<string, Live>();
  private sweptAtMs = 0;

  /**
   * @param nowMs  milliseconds since the Unix epoch, of a clock that does not jump
   * @param onSettled  told what each reservation used
   */
  constructor(
    private readonly nowMs: () => number,
    private readonly onSettled: (entry: UsageEntry) => void,
  ) {
    super();
  }

  /** Subjects that are counted at present. */
  get size(): number {
    return this.counters.size;
  }

  /** Reservations that have not been settled. */
  get liveCount(): number {
    return this.live.size;
  }

  has(tenantId: string, subjectId: string): boolean {
    return this.counters.has(keyOf(tenantId, subjectId));
  }

  /** Counts what a subject has used before this process began; nothing when it is counted already. */
  restore(tenantId: string, subjectId: string, used: Readonly<Record<Period, Amount>>): void {
    if (this.has(tenantId, subjectId)) return;
    const nowMs = this.nowMs();
    const { budget } = this.counterOf(tenantId, subjectId, nowMs);
    budget.restore('day', used.day, nowMs);
    budget.restore('month', used.month, nowMs);
  }

  begin(reservation: Reservation): BeginDecision {
    const { id, tenantId, subjects, promptTokens, leastOutputTokens, price } = reservation;
    const nowMs = this.nowMs();
    this.sweep(nowMs);
    const most = promptTokens + reservation.outputTokens;
    const base = { tokens: promptTokens, nanos: promptTokens * price.input };
    const least = withOutput(base, leastOutputTokens, price.output);
    const held = subjects.map((subject) => ({ subject, counter: this.counterOf(tenantId, subject.id, nowMs) }));
    for (const { subject, counter } of held) {
      const refusal = rateRefusal(subject, counter, most, nowMs) ?? shortageRefusal(subject, counter, least, nowMs);
      if (refusal !== undefined) return { ...refusal, tokens: tokensState(held, nowMs) };
    }
    const coveredTokens = roomOf(held, base, price.output, firstSliceTokens(reservation), nowMs);
    const amount = withOutput(base, coveredTokens, price.output);
    const parts = held.map(({ subject, counter }) => {
      counter.running++;
      const window = counter.tokens.use(most, nowMs);
      return { subject, counter, window, held: counter.budget.reserve(amount, NO_HOLDING, nowMs) };
    });
    this.live.set(id, { parts, coveredTokens });
    return { isAllowed: true, coveredTokens, tokens: tokensState(held, nowMs) };
  }

  extend({ id, price }: Reservation, least: number, most: number): ExtendDecision {
    const live = this.live.get(id);
    if (live === undefined) return { kind: 'lapsed' };
    const nowMs = this.nowMs();
    const { parts, coveredTokens } = live;
    if (coveredTokens >= most) return { kind: 'covered', coveredTokens };
    const needed = withOutput(NOTHING, Math.max(0, least - coveredTokens), price.output);
    for (const { subject, counter, held } of parts) {
      const refusal = shortageRefusal(subject, counter, needed, nowMs, held);
      if (refusal !== undefined) return { kind: 'refused', refusal };
    }
    const more = Math.max(0, roomOf(parts, NOTHING, price.output, most - coveredTokens, nowMs));
    const amount = withOutput(NOTHING, more, price.output);
    for (const part of parts) part.held = part.counter.budget.reserve(amount, part.held, nowMs);
    live.coveredTokens = coveredTokens + more;
    return { kind: 'covered', coveredTokens: live.coveredTokens };
  }

  settle(reservation: Reservation, settlement: Settlement): void {
    const { id, tenantId, price, promptTokens, about } = reservation;
    const live = this.live.take(id);
    if (live === undefined) return;
    const nowMs = this.nowMs();
    const reserved = promptTokens + live.coveredTokens;
    const spent = settlement.promptTokens + settlement.completionTokens;
    const cost = costNanos(price, settlement);
    const reservedCost = promptTokens * price.input + live.coveredTokens * price.output;
    for (const { counter, window, held } of live.parts) {
      counter.running--;
      counter.usedAtMs = Math.max(counter.usedAtMs, nowMs);
      counter.tokens.settle(window, spent, nowMs);
      counter.budget.settle(held, { tokens: reserved - spent, nanos: reservedCost - cost }, nowMs);
    }
    this.onSettled({
      id,
      tenantId,
      keyId: about.keyId,
      modelId: about.modelId,
      requestId: about.requestId,
      promptTokens: settlement.promptTokens,
      cachedTokens: settlement.cachedTokens,
      completionTokens: settlement.completionTokens,
      outcome: settlement.outcome,
      costNanos: cost,
      atMs: Math.floor(nowMs),
    });
  }

  private counterOf(tenantId: string, subjectId: string, nowMs: number): Counter {
    const key = keyOf(tenantId, subjectId);
    let counter = this.counters.get(key);
    if (counter === undefined) {
      counter = { running: 0, tokens: new SlidingWindow(MINUTE_MS), budget: new Budget(), usedAtMs: nowMs };
      this.counters.set(key, counter);
    }
    counter.usedAtMs = nowMs;
    return counter;
  }

  private sweep(nowMs: number): void {
    if (nowMs - this.sweptAtMs < SWEEP_INTERVAL_MS) return;
    this.sweptAtMs = nowMs;
    for (const [key, { running, usedAtMs, budget }] of this.counters) {
      const isIdle = running === 0 && nowMs - usedAtMs > FORGOTTEN_AFTER_MS;
      if (isIdle && budget.isEmpty(nowMs)) this.counters.delete(key);
    }
  }
}

function keyOf(tenantId: string, subjectId: string): string {
  return `${tenantId} ${subjectId}`;
}

function withOutput({ tokens, nanos }: Amount, outputTokens: number, nanosPerToken: number): Amount {
  return { tokens: tokens + outputTokens, nanos: nanos + outputTokens * nanosPerToken };
}

function rateRefusal(
  { id, limits }: LimitedSubject,
  { running, tokens }: Counter,
  asked: number,
  nowMs: number,
): LimitRefusal | undefined {
  const refused = (name: LimitName, limit: number, used: number, amount: number, retryAfterMs: number) => ({
    ...{ isAllowed: false as const, subjectId: id, name, limit, used, asked: amount, retryAfterMs },
  });
  const { concurrentRequests = Infinity, tokensPerMinute = Infinity } = limits;
  if (running >= concurrentRequests)
    return refused('concurrentRequests', concurrentRequests, running, 1, PLACE_RETRY_MS);
  const waitMs = tokens.retryAfterMs(asked, tokensPerMinute, nowMs);
  if (waitMs === 0) return undefined;
  return refused('tokensPerMinute', tokensPerMinute, tokens.used(nowMs), asked, waitMs);
}

function shortageRefusal(
  { id, limits }: LimitedSubject,
  { budget }: Counter,
  least: Amount,
  nowMs: number,
  own?: Holding,
): LimitRefusal | undefined {
  const shortage = budget.shortage(limits, least, nowMs, own);
  return shortage && { isAllowed: false, subjectId: id, ...shortage };
}

function roomOf(
  held: readonly Pick<Part, 'subject' | 'counter'>[],
  base: Amount,
  nanosPerToken: number,
  most: number,
  nowMs: number,
): number {
  let room = most;
  for (const { subject, counter } of held) room = counter.budget.room(subject.limits, base, nanosPerToken, room, nowMs);
  return room;
}

function tokensState(held: readonly Pick<Part, 'subject' | 'counter'>[], nowMs: number): LimitState | undefined {
  return tightest(
    held.map(({ subject: { limits }, counter: { tokens } }) =>
      limits.tokensPerMinute === undefined ? undefined : tokens.state(limits.tokensPerMinute, nowMs),
    ),
  );
}
