/** What somebody may use; absent means as much as he likes. */
export interface Limits {
  readonly requestsPerMinute?: number;
  /** Tokens of prompts and answers. */
  readonly tokensPerMinute?: number;
  readonly concurrentRequests?: number;
  /** Quotas: tokens of prompts and answers, by UTC. */
  readonly tokensPerDay?: number;
  readonly tokensPerMonth?: number;
  /** Budgets: millionths of the currency that prices are in, by UTC. */
  readonly costMicrosPerDay?: number;
  readonly costMicrosPerMonth?: number;
}

/** Whether there is any. */
export function hasLimit(limits: Limits): boolean {
  return Object.values(limits).some((limit) => limit !== undefined);
}

export type LimitName = keyof Limits;

export const LIMIT_NAMES = [
  ...(['requestsPerMinute', 'tokensPerMinute', 'concurrentRequests'] as const),
  ...(['tokensPerDay', 'tokensPerMonth', 'costMicrosPerDay', 'costMicrosPerMonth'] as const),
] as const satisfies readonly LimitName[];

/** Whose use is counted together: a tenant, one of its keys, or either with one model. */
export interface LimitedSubject {
  /** Unique in its tenant, printable, without spaces. */
  readonly id: string;
  /** One key of the tenant, by its id, with those that came of it by rotation; absent: all. */
  readonly keyId?: string | undefined;
  /** With one model; absent: with all together. */
  readonly modelId?: string | undefined;
  readonly limits: Limits;
}

/** How much is left of a limit. */
export interface LimitState {
  readonly limit: number;
  readonly remaining: number;
  /** Time until nothing is counted any more. */
  readonly resetMs: number;
}

/** How much is left of the tightest limit of each kind; absent where there is none. */
export interface LimitStates {
  readonly requests: LimitState | undefined;
  readonly tokens: LimitState | undefined;
}

/** Why a request may not run, or not go on. */
export interface LimitRefusal {
  readonly isAllowed: false;
  readonly subjectId: string;
  readonly name: LimitName;
  readonly limit: number;
  /** Used up or reserved by what runs. */
  readonly used: number;
  readonly asked: number;
  /** Infinity: the request is larger than the limit. */
  readonly retryAfterMs: number;
}

/** The state with the least left. */
export function tightest(states: readonly (LimitState | undefined)[]): LimitState | undefined {
  return states.filter((state) => state !== undefined).sort((a, b) => a.remaining - b.remaining)[0];
}
