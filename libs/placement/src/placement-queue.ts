import { Binder, type BinderOptions, type BinderParts, type Prospect } from './binder.js';
import { serviceTokens } from './capacity.js';
import { ModelQueue, type WaitingRequest, waitingRequest } from './model-queue.js';
import type { PlacementDecision } from './placement-decision.js';
import type { PlacementRequest } from './placement-request.js';
import { Refusals } from './refusals.js';
import { WaitingRequests } from './waiting-requests.js';

/** Times a generation may be placed again: only what never produced a token is, and a fleet that loses it four times is ill. */
export const MAX_ATTEMPT = 3;

export interface PlacementQueueOptions extends BinderOptions {
  /** Requests that may wait, per model. */
  readonly queueLength: number;
}

/** What a generation took in the end. */
export interface LeaseOutcome {
  readonly leaseId: string;
  /** Absent when nothing is known of it. */
  readonly used: { readonly computedPromptTokens: number; readonly outputTokens: number } | undefined;
  /** From submission to first token; 0 when there was none. */
  readonly ttftMs: number;
}

/**
 * Late binding: a request waits here, not in a worker, until a worker has room, and is bound to it only then. Pure state:
 * calls come with the time and return decisions; nothing happens in between. After anything that may have freed room outside
 * (a worker joined, reported or left) the owner calls `place`.
 *
 * An earlier request in order of turn that finds no room keeps its claim on every worker it could run on: later ones may pass
 * it only to workers that could not serve it. So big requests do not starve, and workers with another adapter do not idle.
 */
export class PlacementQueue {
  private readonly binder: Binder;
  /** Models that are served or waited for. */
  private readonly models = new Map<string, ModelQueue>();
  private readonly waiting = new WaitingRequests();
  private readonly refusals: Refusals;
  private ticketCount = 0;
  private isClosed = false;

  constructor(
    private readonly options: PlacementQueueOptions,
    private readonly parts: BinderParts,
  ) {
    this.binder = new Binder(options, parts);
    this.refusals = new Refusals(this.models, this.binder, parts.fleet);
  }

  get waitingCount(): number {
    return this.waiting.size;
  }

  waitingCountOf(modelId: string): number {
    return this.models.get(modelId)?.waiting.size ?? 0;
  }

  /**
   * Asks for a place.
   * @param waitUntilMs  when the request stops waiting
   * @returns the ticket that decisions will name, and the decisions that followed at once
   */
  enqueue(
    request: PlacementRequest,
    waitUntilMs: number,
    nowMs: number,
  ): { ticketId: number; decisions: PlacementDecision[] } {
    const ticketId = ++this.ticketCount;
    const entry = waitingRequest(ticketId, request, nowMs, waitUntilMs);
    const decisions = this.endEarlierCalls(request, nowMs);
    return { ticketId, decisions: [...decisions, ...this.admit(entry, nowMs)] };
  }

  /** The caller left; no decision will name the ticket. */
  cancel(ticketId: number): void {
    const entry = this.waiting.withTicket(ticketId);
    if (entry !== undefined) this.leave(entry);
  }

  /** Ends leases, and gives the room to those that wait. Unknown ids are ignored. */
  release(leaseIds: readonly string[], nowMs: number): PlacementDecision[] {
    for (const leaseId of leaseIds) this.parts.leases.release(leaseId);
    return this.place(nowMs);
  }

  /** As `release`, for leases that their worker did not honour: it counts as full until it reports again. */
  returnRefused(leaseIds: readonly string[], nowMs: number): PlacementDecision[] {
    if (leaseIds.length === 0) return []; // most calls: no look at all workers for nothing
    for (const leaseId of leaseIds) {
      this.settle({ leaseId, used: { computedPromptTokens: 0, outputTokens: 0 }, ttftMs: 0 }, nowMs);
      const lease = this.parts.leases.release(leaseId);
      if (lease !== undefined) this.parts.fleet.noteRefusal(lease.workerId, lease.workerEpoch);
    }
    return this.place(nowMs);
  }

  /** Takes what a lease was used for, while it is live: its tenant is charged for that, not for what was expected. */
  settle({ leaseId, used, ttftMs }: LeaseOutcome, nowMs: number): void {
    const lease = this.parts.leases.leaseOf(leaseId);
    const queue = lease && this.models.get(lease.modelId);
    if (lease === undefined || queue === undefined) return;
    if (ttftMs > 0) queue.firstTokens.note(lease.forecastTtftMs, ttftMs, nowMs);
    if (used === undefined) return;
    const tokens = serviceTokens(used.computedPromptTokens, used.outputTokens);
    queue.waiting.noteServed(lease.tenantId, lease.priority, tokens - lease.serviceTokens);
  }

  /** Gives places to those that wait, as far as there is room. */
  place(nowMs: number): PlacementDecision[] {
    return [...this.models].flatMap(([modelId, queue]) => this.placeModel(modelId, queue, nowMs));
  }

  /** The owner did not run for a while: workers and leases are not to suffer. Waits are: their callers wait all the same. */
  excuse(awayMs: number, nowMs: number): void {
    this.parts.leases.excuse(awayMs);
    this.parts.fleet.excuse(awayMs, nowMs);
  }

  /** Ends what is due: leases, silent workers, waits; and gives the room to those that wait. */
  expire(nowMs: number): PlacementDecision[] {
    const { leases, fleet } = this.parts;
    const decisions: PlacementDecision[] = [];
    for (const lease of leases.expire(nowMs)) decisions.push({ kind: 'lease-ended', lease, cause: 'expired' });
    for (const departure of fleet.expire(nowMs)) decisions.push({ kind: 'worker-left', departure });
    for (let entry = this.waiting.takeDue(nowMs); entry !== undefined; entry = this.waiting.takeDue(nowMs)) {
      this.leave(entry);
      decisions.push(this.refusals.overdue(entry, nowMs));
    }
    return [...decisions, ...this.place(nowMs)];
  }

  /** When `expire` has something to do next; undefined when nothing is due ever. */
  nextDueMs(): number | undefined {
    const due = [this.waiting.nextDueMs(), this.parts.leases.nextDueMs(), this.parts.fleet.nextDueMs()];
    const known = due.filter((dueMs) => dueMs !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  /** Takes out all that wait for a model, to be placed by somebody else. @returns their tickets */
  withdraw(modelId: string): number[] {
    const tickets: number[] = [];
    this.models.get(modelId)?.waiting.offer((entry) => {
      this.waiting.delete(entry);
      tickets.push(entry.ticketId);
      return 'dropped';
    });
    return tickets;
  }

  /** Takes nothing new from now on, and answers all that wait. */
  close(nowMs: number): PlacementDecision[] {
    this.isClosed = true;
    return this.waiting.all().map((entry) => {
      this.leave(entry);
      return this.refusals.of(entry, 'shutting-down', 'the scheduler is shutting down', nowMs);
    });
  }

  private admit(entry: WaitingRequest, nowMs: number): readonly PlacementDecision[] {
    const { request } = entry;
    const { modelId, generationId, attempt } = request;
    if (this.isClosed) return [this.refusals.of(entry, 'shutting-down', 'the scheduler is shutting down', nowMs)];
    if (attempt > MAX_ATTEMPT) {
      const message = `generation ${generationId} was placed ${attempt} times before`;
      return [this.refusals.of(entry, 'attempts-exhausted', message, nowMs)];
    }
    if (entry.dueMs <= nowMs) return [this.refusals.overdue(entry, nowMs)];
    const prospect = this.binder.prospect(request, new Set(), nowMs);
    if (prospect.kind === 'refused') return [this.refusals.of(entry, prospect.reason, prospect.message, nowMs)];
    const queue = this.queueOf(modelId);
    const isFirst = queue.waiting.size === 0;
    const waitMs = prospect.kind === 'room' ? 0 : queue.waitMs(request, nowMs);
    const late = this.refusals.late(entry, queue, prospect, waitMs, nowMs);
    if (late !== undefined) return [late];
    // While nobody waits nobody is behind: what is served then counts for no tenant.
    if (prospect.kind === 'room' && isFirst) return this.bind(entry, prospect, nowMs).decisions;
    this.wait(entry, queue);
    // Others are before it, but may be waiting for other workers.
    const decisions = prospect.kind === 'room' ? this.placeModel(modelId, queue, nowMs) : [];
    if (queue.waiting.size <= this.options.queueLength) return decisions;
    const expendable = queue.waiting.mostExpendable()!; // one more than may wait does
    this.leave(expendable);
    const message = `${this.options.queueLength} requests already wait for ${modelId}`;
    return [...decisions, this.refusals.of(expendable, 'queue-full', message, nowMs)];
  }

  private placeModel(modelId: string, queue: ModelQueue, nowMs: number): PlacementDecision[] {
    const decisions: PlacementDecision[] = [];
    const reserved = new Set<string>();
    queue.waiting.offer((entry) => {
      const prospect = this.binder.prospect(entry.request, reserved, nowMs);
      if (prospect.kind === 'no-room') {
        for (const workerId of prospect.waitsFor) reserved.add(workerId);
        return reserved.size >= prospect.takingCount ? 'stop' : 'kept';
      }
      this.waiting.delete(entry);
      const drop = (refused: PlacementDecision) => {
        decisions.push(refused);
        return 'dropped' as const;
      };
      if (prospect.kind === 'refused') return drop(this.refusals.of(entry, prospect.reason, prospect.message, nowMs));
      const late = this.refusals.late(entry, queue, prospect, 0, nowMs);
      if (late !== undefined) return drop(late);
      const bound = this.bind(entry, prospect, nowMs);
      decisions.push(...bound.decisions);
      if (!bound.isPlaced) return 'dropped';
      queue.pace.notePlaced(nowMs);
      return 'taken';
    });
    if (queue.waiting.size === 0) {
      queue.pace.noteEmpty();
      if (!this.options.expectedModelIds.has(modelId) && !this.parts.fleet.serves(modelId)) this.models.delete(modelId);
    }
    return decisions;
  }

  /** The entry has left the queue: it gets its answer here, also when the strategy fails. */
  private bind(
    entry: WaitingRequest,
    prospect: Prospect & { kind: 'room' },
    nowMs: number,
  ): { readonly isPlaced: boolean; readonly decisions: readonly PlacementDecision[] } {
    const { ticketId } = entry;
    const outcome = this.binder.bind(entry.request, prospect, this.queueOf(entry.request.modelId).pace, nowMs);
    if (outcome.kind === 'bound') {
      const { modelId, tenantId, priority, serviceTokens: charged } = outcome.binding.lease;
      // What is cached is not taken from the worker.
      this.queueOf(modelId).waiting.noteServed(tenantId, priority, charged - entry.serviceTokens);
      const placed = { kind: 'placed', ticketId, waitedMs: nowMs - entry.arrivedMs, ...outcome.binding } as const;
      return { isPlaced: true, decisions: [placed] };
    }
    const { fault } = outcome;
    const message = `the placement strategy ${fault.strategy} failed; please try again`;
    const refused = this.refusals.of(entry, 'strategy-failed', message, nowMs);
    return { isPlaced: false, decisions: [{ kind: 'strategy-failed', ...fault }, refused] };
  }

  /** A generation asks once at a time: an earlier call of it is dead, and a lease it had is given back. */
  private endEarlierCalls(request: PlacementRequest, nowMs: number): PlacementDecision[] {
    const decisions: PlacementDecision[] = [];
    const earlier = this.waiting.ofGeneration(request.generationId);
    if (earlier !== undefined) {
      this.leave(earlier);
      decisions.push(this.refusals.of(earlier, 'superseded', 'the generation asked for a place again', nowMs));
    }
    const lease = this.parts.leases.leaseOfGeneration(request.generationId);
    if (lease !== undefined) {
      this.parts.leases.release(lease.leaseId);
      decisions.push({ kind: 'lease-ended', lease, cause: 'replaced' }, ...this.place(nowMs));
    }
    return decisions;
  }

  private queueOf(modelId: string): ModelQueue {
    const queue = this.models.get(modelId) ?? new ModelQueue();
    this.models.set(modelId, queue);
    return queue;
  }

  private wait(entry: WaitingRequest, queue: ModelQueue): void {
    queue.waiting.push(entry);
    this.waiting.add(entry);
  }

  private leave(entry: WaitingRequest): void {
    this.models.get(entry.request.modelId)?.waiting.remove(entry);
    this.waiting.delete(entry);
  }
}
