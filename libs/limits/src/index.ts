export type { Amount } from './budget.js';
export {
  type BeginDecision,
  type ExtendDecision,
  firstSliceTokens,
  LimitBook,
  LimitsUnavailableError,
  type Reservation,
  type Settlement,
  type UsageEntry,
  type UsageOrigin,
  type UsageOutcome,
} from './limit-book.js';
export {
  hasLimit,
  LIMIT_NAMES,
  type LimitedSubject,
  type LimitName,
  type LimitRefusal,
  type LimitState,
  type LimitStates,
  type Limits,
  tightest,
} from './limits.js';
export { MemoryLimitBook } from './memory-limit-book.js';
export { PERIODS, type Period, periodLeftMs, periodNumber, periodStartMs } from './period.js';
export { costNanos, NANOS_PER_MICRO, type Price, type TokenUse } from './price.js';
export { SlidingWindow } from './sliding-window.js';
