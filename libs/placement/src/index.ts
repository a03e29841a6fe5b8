export { Attention } from './attention.js';
export type { BlocksElsewhere, PlacementReason } from './binder.js';
export { CacheFleet } from './caches/cache-fleet.js';
export type { FilterReason } from './candidates.js';
export { saturationOf } from './capacity.js';
export {
  createStrategy,
  DEFAULT_STRATEGY_OPTIONS,
  parseStrategyName,
  STRATEGY_NAMES,
  type StrategyName,
  type StrategyOptions,
  UnknownStrategyError,
} from './create-strategy.js';
export { ExplainedWorker, type PlacementExplanation } from './explanation.js';
export {
  type FleetMemberState,
  FleetState,
  type FleetStateOptions,
  type RegisterOutcome,
  type WorkerDeparture,
} from './fleet-state.js';
export { FetchTimeModel } from './forecast/fetch-time-model.js';
export type { StepLoad } from './forecast/step-time-model.js';
export type { StepReport } from './forecast/worker-mirror.js';
export { KvFollower } from './kv-index/kv-follower.js';
export { KvIndex, PrefixLookup } from './kv-index/kv-index.js';
export { type Lease, LeaseTable, type LeaseTableOptions } from './lease-table.js';
export type { PlacementAnswer, PlacementDecision } from './placement-decision.js';
export { type LeaseOutcome, MAX_ATTEMPT, PlacementQueue, type PlacementQueueOptions } from './placement-queue.js';
export type { PlacementRequest } from './placement-request.js';
export {
  type CandidateTerms,
  type PlacementChoice,
  type PlacementContext,
  PlacementStrategy,
  type PlacementTerms,
} from './placement-strategy.js';
export { inPrefillOrder, PREFILL_ORDERS, type PrefillOrder, prefillUrgency } from './prefill-order.js';
export { PrefixUses, rememberedPrefixes } from './prefix-uses.js';
export { REFUSAL_REASONS, type Refusal, type RefusalReason } from './refusal.js';
export { Reigns, schedulersInOrder } from './reigns.js';
export { seededRandom } from './seeded-random.js';
export { PredictedTtftStrategy } from './strategies/predicted-ttft.js';
export type { StrategyFault } from './strategy-fault.js';
export type { WorkerView } from './worker-view.js';
