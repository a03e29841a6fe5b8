import type { LimitedSubject, LimitRefusal, LimitState } from './limits.js';
import type { Price, TokenUse } from './price.js';

/** What a request wants to use. */
export interface Reservation {
  /** Made by the server, unique for ever: of the answer. */
  readonly id: string;
  readonly tenantId: string;
  /** All whose limits it must be within. */
  readonly subjects: readonly LimitedSubject[];
  readonly price: Price;
  readonly promptTokens: number;
  /** Most tokens of all answers: what counts by the minute. */
  readonly outputTokens: number;
  /** Fewest output tokens that are worth to begin with. */
  readonly leastOutputTokens: number;
  /** Output tokens of the first slice. */
  readonly sliceTokens: number;
  readonly about: UsageOrigin;
}

/** Output tokens that are reserved at first, if there is room. */
export function firstSliceTokens({ sliceTokens, leastOutputTokens, outputTokens }: Reservation): number {
  return Math.min(Math.max(sliceTokens, leastOutputTokens), outputTokens);
}

/** Who used it and what for: goes into the ledger as it is. */
export interface UsageOrigin {
  /** Public part of the key; empty for tokens of an issuer. */
  readonly keyId: string;
  readonly modelId: string;
  /** `x-request-id`, as the client may have chosen it. */
  readonly requestId: string;
}

/** How a reservation ended. `gateway-lost`: its gateway died, and what it held was charged. */
export type UsageOutcome = 'answered' | 'ended-early' | 'gateway-lost';

/** What was used in the end. */
export interface Settlement extends TokenUse {
  readonly outcome: UsageOutcome;
}

/** What the ledger is told, once for each reservation. */
export interface UsageEntry extends Settlement, UsageOrigin {
  readonly id: string;
  readonly tenantId: string;
  /** Billionths of a currency unit. */
  readonly costNanos: number;
  /** When it was settled, in milliseconds since the Unix epoch. */
  readonly atMs: number;
}

/** Tokens by the minute; absent where they are not limited. */
type WithTokens = { readonly tokens: LimitState | undefined };

/** `coveredTokens`: output tokens that may be delivered. */
export type BeginDecision = ({ readonly isAllowed: true; readonly coveredTokens: number } | LimitRefusal) & WithTokens;

/** `lapsed`: it was not heard of for too long, and what it held was charged; nothing more may be delivered. */
export type ExtendDecision =
  | { readonly kind: 'covered'; readonly coveredTokens: number }
  | { readonly kind: 'refused'; readonly refusal: LimitRefusal }
  | { readonly kind: 'lapsed' };

/** Where it is counted cannot be reached. */
export class LimitsUnavailableError extends Error {
  override readonly name = 'LimitsUnavailableError';
}

/**
 * Counts what is used, and lets nobody use more than he may: every token is reserved before it is delivered.
 *
 * `begin` reserves the prompt and a first slice of the answer, `extend` further slices, `settle` turns all of it into what was
 * delivered. Each is one atomic step over all subjects: within all limits of all of them, or it counts for none. At every
 * moment, settled + reserved ≤ limit for each quota and budget; it refuses only what does not fit at that moment.
 */
export abstract class LimitBook {
  /** @throws LimitsUnavailableError */
  abstract begin(reservation: Reservation): Promise<BeginDecision> | BeginDecision;
  /**
   * Covers more output tokens, as many as fit: at least `least`, up to `most`, both counted from the beginning.
   * @throws LimitsUnavailableError
   */
  abstract extend(reservation: Reservation, least: number, most: number): Promise<ExtendDecision> | ExtendDecision;
  /** Ends it; once. What cannot be told at present is told later. */
  abstract settle(reservation: Reservation, settlement: Settlement): void;
}
