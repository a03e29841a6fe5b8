import type { Binder, Prospect } from './binder.js';
import { boundedHintMs, DrainPace } from './drain-pace.js';
import type { FleetState } from './fleet-state.js';
import type { ModelQueue, WaitingRequest } from './model-queue.js';
import type { Refused } from './placement-decision.js';
import type { RefusalReason } from './refusal.js';

/** What those are told who get no place: why, and when to ask again. It changes nothing. */
export class Refusals {
  /** @param models  the queues, as they are when somebody is refused */
  constructor(
    private readonly models: ReadonlyMap<string, ModelQueue>,
    private readonly binder: Binder,
    private readonly fleet: FleetState,
  ) {}

  of(entry: WaitingRequest, reason: RefusalReason, message: string, nowMs: number): Refused {
    const { modelId } = entry.request;
    const queue = this.models.get(modelId);
    const isForGood = reason === 'unserviceable' || reason === 'attempts-exhausted' || reason === 'superseded';
    const retryAfterMs = isForGood ? 0 : (queue?.pace ?? new DrainPace()).hintMs((queue?.waiting.size ?? 0) + 1, nowMs);
    const refusal = { reason, message, retryAfterMs };
    return { kind: 'refused', ticketId: entry.ticketId, modelId, refusal, waitedMs: nowMs - entry.arrivedMs };
  }

  /**
   * Whoever cannot have a first token in time is told at once.
   * @param waitMs  how long others will keep the request waiting
   * @returns undefined when it can, or has no deadline
   */
  late(
    entry: WaitingRequest,
    { pace, firstTokens }: ModelQueue,
    prospect: Exclude<Prospect, { kind: 'refused' }>,
    waitMs: number,
    nowMs: number,
  ): Refused | undefined {
    const { ttftDeadlineUnixMs } = entry.request;
    if (ttftDeadlineUnixMs === 0) return undefined;
    const predictedMs = this.binder.leastTtftMs(entry.request, prospect, pace, nowMs);
    const ttftMs =
      predictedMs === undefined ? undefined : firstTokens.expectedMs(predictedMs, prospect.kind === 'room', nowMs);
    const lateMs = Math.ceil(nowMs + waitMs + (ttftMs ?? 0) - ttftDeadlineUnixMs);
    if (lateMs <= 0) return undefined;
    const refused = this.of(entry, 'deadline-unreachable', `The first token would come ${lateMs} ms too late.`, nowMs);
    return { ...refused, refusal: { ...refused.refusal, retryAfterMs: boundedHintMs(lateMs) } };
  }

  /** Its wait is over. */
  overdue(entry: WaitingRequest, nowMs: number): Refused {
    const { ttftDeadlineUnixMs, modelId } = entry.request;
    if (ttftDeadlineUnixMs !== 0 && ttftDeadlineUnixMs <= nowMs) {
      return this.of(entry, 'deadline-unreachable', 'The time for the first token has passed.', nowMs);
    }
    if (!this.fleet.serves(modelId)) {
      return this.of(entry, 'no-worker', `no worker for ${modelId} came in time`, nowMs);
    }
    return this.of(entry, 'wait-expired', `no worker of ${modelId} had room in time`, nowMs);
  }
}
