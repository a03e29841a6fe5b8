import type { Binding } from './binder.js';
import type { WorkerDeparture } from './fleet-state.js';
import type { Lease } from './lease-table.js';
import type { Refusal } from './refusal.js';
import type { StrategyFault } from './strategy-fault.js';

export interface Placed extends Binding {
  readonly kind: 'placed';
  readonly ticketId: number;
  readonly waitedMs: number;
}

export interface Refused {
  readonly kind: 'refused';
  readonly ticketId: number;
  readonly modelId: string;
  readonly refusal: Refusal;
  readonly waitedMs: number;
}

/** A lease ended by itself: not renewed in time, or its generation asked for another place. */
export interface LeaseEnded {
  readonly kind: 'lease-ended';
  readonly lease: Lease;
  readonly cause: 'expired' | 'replaced';
}

/** A worker was silent for too long. */
export interface WorkerLeft {
  readonly kind: 'worker-left';
  readonly departure: WorkerDeparture;
}

/** A strategy broke its contract; the request it was asked for is refused next. */
export interface StrategyFailed extends StrategyFault {
  readonly kind: 'strategy-failed';
}

/** The answer to one request for a place. */
export type PlacementAnswer = Placed | Refused;

/**
 * What the queue decided; its owner answers whoever holds the ticket. Each ticket gets exactly one `placed` or `refused`,
 * unless it is cancelled first.
 */
export type PlacementDecision = PlacementAnswer | LeaseEnded | WorkerLeft | StrategyFailed;
