import { SlidingWindow, type WindowUse } from './sliding-window.js';

/** What somebody may use; absent means as much as he likes. */
export interface Limits {
  readonly requestsPerMinute?: number;
  /** Tokens of prompts and answers. */
  readonly tokensPerMinute?: number;
  readonly concurrentRequests?: number;
}

/** Whose use is counted together: a tenant, or one of its keys. */
export interface LimitedSubject {
  readonly id: string;
  readonly limits: Limits;
}

export type LimitName = keyof Limits;

/** How much is left of the tightest limit of each kind; absent where there is none. */
export interface LimitStates {
  readonly requests: LimitState | undefined;
  readonly tokens: LimitState | undefined;
}

/** Why a request may not run now. */
export interface LimitRefusal extends LimitStates {
  readonly isAllowed: false;
  readonly subjectId: string;
  readonly name: LimitName;
  readonly limit: number;
  readonly used: number;
  readonly asked: number;
  /** Infinity: the request is larger than the limit. */
  readonly retryAfterMs: number;
}

/** How much is left of the tightest limit of a kind. */
export interface LimitState {
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
}

export type LimitDecision = { readonly isAllowed: true; readonly use: LimitedUse } | LimitRefusal;

/** What a request holds until it ends. */
export interface LimitedUse extends LimitStates {
  /** Counts the tokens that were really used and gives the place back; once. */
  settle(tokens: number, nowMs: number): void;
}

interface Counter {
  readonly limits: Limits;
  readonly requests: SlidingWindow | undefined;
  readonly tokens: SlidingWindow | undefined;
  /** Handed on when limits change, so that what runs gives its place back where it is counted. */
  readonly places: { running: number };
  /** When it was last looked at. */
  usedAtMs: number;
}

const MINUTE_MS = 60_000;
/** A counter that nobody used for this long has nothing in it. */
const FORGOTTEN_AFTER_MS = 2 * MINUTE_MS;
const SWEEP_INTERVAL_MS = MINUTE_MS;

/** Counts in memory, for one gateway. A request is within all limits of all its subjects, or it counts for none. */
export class Limiter {
  private readonly counters = new Map<string, Counter>();
  private sweptAtMs = 0;

  /** @param tokens  most tokens that the request can use */
  reserve(subjects: readonly LimitedSubject[], tokens: number, nowMs: number): LimitDecision {
    this.sweep(nowMs);
    const held = subjects.map((subject) => ({ subject, counter: this.counterOf(subject, nowMs) }));
    for (const { subject, counter } of held) {
      const refusal = refusalOf(subject, counter, tokens, nowMs);
      if (refusal !== undefined) return { ...refusal, ...statesOf(held, nowMs) };
    }
    const uses = held.map(({ counter }) => take(counter, tokens, nowMs));
    const counters = held.map(({ counter }) => counter);
    let isSettled = false;
    return {
      isAllowed: true,
      use: {
        ...statesOf(held, nowMs),
        settle: (actual, atMs) => {
          if (isSettled) return;
          isSettled = true;
          for (const [i, counter] of counters.entries()) {
            counter.places.running--;
            counter.usedAtMs = Math.max(counter.usedAtMs, atMs);
            const use = uses[i];
            if (use !== undefined) counter.tokens?.settle(use, actual, atMs);
          }
        },
      },
    };
  }

  /** Subjects that are counted at present. */
  get size(): number {
    return this.counters.size;
  }

  /** Limits that changed begin anew, but for what runs. */
  private counterOf({ id, limits }: LimitedSubject, nowMs: number): Counter {
    const known = this.counters.get(id);
    if (known !== undefined && isSame(known.limits, limits)) {
      known.usedAtMs = nowMs;
      return known;
    }
    const { requestsPerMinute, tokensPerMinute } = limits;
    const counter: Counter = {
      limits,
      requests: requestsPerMinute === undefined ? undefined : new SlidingWindow(requestsPerMinute, MINUTE_MS),
      tokens: tokensPerMinute === undefined ? undefined : new SlidingWindow(tokensPerMinute, MINUTE_MS),
      places: known?.places ?? { running: 0 },
      usedAtMs: nowMs,
    };
    this.counters.set(id, counter);
    return counter;
  }

  private sweep(nowMs: number): void {
    if (nowMs - this.sweptAtMs < SWEEP_INTERVAL_MS) return;
    this.sweptAtMs = nowMs;
    for (const [id, { places, usedAtMs }] of this.counters) {
      if (places.running === 0 && nowMs - usedAtMs > FORGOTTEN_AFTER_MS) this.counters.delete(id);
    }
  }
}

function refusalOf(
  { id: subjectId, limits }: LimitedSubject,
  { requests, tokens, places: { running } }: Counter,
  asked: number,
  nowMs: number,
): Omit<LimitRefusal, keyof LimitStates> | undefined {
  const refused = (name: LimitName, limit: number, used: number, amount: number, retryAfterMs: number) => ({
    ...{ isAllowed: false as const, subjectId, name, limit, used, asked: amount, retryAfterMs },
  });
  const { concurrentRequests = Infinity } = limits;
  if (running >= concurrentRequests) return refused('concurrentRequests', concurrentRequests, running, 1, 1_000);
  const requestsWaitMs = requests?.retryAfterMs(1, nowMs) ?? 0;
  if (requests !== undefined && requestsWaitMs > 0) {
    return refused('requestsPerMinute', requests.limit, requests.limit - requests.remaining(nowMs), 1, requestsWaitMs);
  }
  const tokensWaitMs = tokens?.retryAfterMs(asked, nowMs) ?? 0;
  if (tokens !== undefined && tokensWaitMs > 0) {
    return refused('tokensPerMinute', tokens.limit, tokens.limit - tokens.remaining(nowMs), asked, tokensWaitMs);
  }
  return undefined;
}

function take(counter: Counter, tokens: number, nowMs: number): WindowUse | undefined {
  counter.places.running++;
  counter.requests?.use(1, nowMs);
  return counter.tokens?.use(tokens, nowMs);
}

function statesOf(held: readonly { readonly counter: Counter }[], nowMs: number): LimitStates {
  const of = (name: 'requests' | 'tokens') =>
    tightest(
      held.map(({ counter }) => counter[name]),
      nowMs,
    );
  return { requests: of('requests'), tokens: of('tokens') };
}

function tightest(windows: readonly (SlidingWindow | undefined)[], nowMs: number): LimitState | undefined {
  const states = windows
    .filter((window) => window !== undefined)
    .map((window) => ({ limit: window.limit, remaining: window.remaining(nowMs), resetMs: window.resetMs(nowMs) }));
  return states.sort((a, b) => a.remaining - b.remaining)[0];
}

function isSame(a: Limits, b: Limits): boolean {
  return (
    a === b ||
    (a.requestsPerMinute === b.requestsPerMinute &&
      a.tokensPerMinute === b.tokensPerMinute &&
      a.concurrentRequests === b.concurrentRequests)
  );
}
