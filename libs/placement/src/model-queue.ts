import { expectedServiceTokens } from './capacity.js';
import { DrainPace } from './drain-pace.js';
import { FairQueue } from './fair-queue.js';
import { FirstTokenRecord } from './first-token-record.js';
import type { PlacementRequest } from './placement-request.js';

/** A request that waits for a place, or is about to. */
export interface WaitingRequest {
  readonly ticketId: number;
  readonly tenantId: string;
  readonly priority: number;
  readonly serviceTokens: number;
  readonly request: PlacementRequest;
  readonly arrivedMs: number;
  /** When its wait ends: at the longest wait, or when the first token would come too late. */
  readonly dueMs: number;
}

/** Who waits for one model, how fast they get their places, and how long first tokens took then. */
export class ModelQueue {
  readonly waiting = new FairQueue<WaitingRequest>();
  readonly pace = new DrainPace();
  readonly firstTokens = new FirstTokenRecord();

  /** How long a request that comes now would wait behind others; 0 when nothing is known. */
  waitMs({ tenantId, priority }: PlacementRequest, nowMs: number): number {
    return this.pace.waitMs(this.waiting.countBefore(tenantId, priority), nowMs) ?? 0;
  }
}

export function waitingRequest(
  ticketId: number,
  request: PlacementRequest,
  arrivedMs: number,
  waitUntilMs: number,
): WaitingRequest {
  const { tenantId, priority, ttftDeadlineUnixMs } = request;
  const serviceTokens = expectedServiceTokens(request);
  const dueMs = ttftDeadlineUnixMs === 0 ? waitUntilMs : Math.min(waitUntilMs, ttftDeadlineUnixMs);
  return { ticketId, tenantId, priority, serviceTokens, request, arrivedMs, dueMs };
}
