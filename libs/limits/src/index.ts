export {
  type LimitedUse,
  Limiter,
  type LimitName,
  type LimitRefusal,
  type LimitState,
  type LimitStates,
  type Limits,
} from './limiter.js';
