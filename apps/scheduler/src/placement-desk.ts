import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import type { KvEvents, Registration, StateReport } from '#lib/contracts';
import { APP_LOGGER, type Exemplar, type Logger } from '#lib/observability';
import {
  Attention,
  type CacheFleet,
  type FleetState,
  type KvFollower,
  type LeaseOutcome,
  type LeaseTable,
  type PlacementAnswer,
  type PlacementDecision,
  type PlacementQueue,
  type PlacementRequest,
  type RegisterOutcome,
  type WorkerDeparture,
} from '#lib/placement';
import { Askers, type DeskAnswer } from './askers.js';
import { DueTimer } from './due-timer.js';
import { FleetLog } from './fleet-log.js';
import { KvIndexSweep } from './kv-index-sweep.js';
import { ModelStrategies } from './model-strategies.js';
import { OwnReigns } from './own-reigns.js';
import { PlacementMetrics } from './placement-metrics.js';
import { createPlacementParts } from './placement-parts.js';
import { nowMs } from './scheduler-clock.js';
import { HYDRA_CONFIG } from './scheduler-config.js';
import { StrategyFaultLog } from './strategy-fault-log.js';

/** How often the desk looks whether its own process runs, within the time that a worker may be silent. */
const ATTENTIONS_PER_TIMEOUT = 10;

/** `Redirect.target` of a scheduler that does not know who places the model. */
const ANY_OTHER = '';

/** A call of `Place` that has its answer or waits for it. */
export interface PlacementTicket {
  readonly answer: Promise<DeskAnswer>;
  /** The caller left: gives up its place in the queue. Nothing after the answer; a lease that nobody took expires. */
  abandon(): void;
}

/** What changed, for those who follow the fleet. */
export interface DeskListener {
  fleetChanged?(): void;
  workerLeft?(departure: WorkerDeparture): void;
  /** This scheduler places the model from now on. */
  reignBegan?(modelId: string, term: number): void;
}

/**
 * Where requests meet workers: the pure placement queue with a clock, a timer and somebody to answer. Every change goes
 * through here, and after each what became possible is carried out at once.
 */
@Injectable()
export class PlacementDesk implements BeforeApplicationShutdown {
  readonly schedulerEpoch = Math.floor(nowMs());
  readonly schedulerId = `scheduler-${this.schedulerEpoch}`;
  readonly leases: LeaseTable;
  readonly fleet: FleetState;
  readonly queue: PlacementQueue;
  readonly caches: CacheFleet;
  private readonly configuredModelIds: ReadonlySet<string>;
  isClosed = false;

  private readonly kvFollower: KvFollower;
  private readonly kvSweep: KvIndexSweep;
  private readonly reigns: OwnReigns;
  private readonly askers = new Askers();
  private readonly log: FleetLog;
  private readonly strategyFaults: StrategyFaultLog;
  private readonly listeners = new Set<DeskListener>();
  private readonly attention: Attention;
  private readonly attentionTimer: NodeJS.Timeout;
  private readonly expiry = new DueTimer(() => {
    this.attend();
    this.carryOut(this.queue.expire(nowMs()));
  });

  constructor(
    @Inject(HYDRA_CONFIG) private readonly config: HydraConfig,
    @Inject(APP_LOGGER) private readonly logger: Logger,
    private readonly strategies: ModelStrategies,
    private readonly metrics: PlacementMetrics,
  ) {
    const { leases, fleet, queue, prefixes, kvFollower, caches } = createPlacementParts(
      config,
      strategies,
      this.schedulerEpoch.toString(36),
    );
    this.leases = leases;
    this.fleet = fleet;
    this.queue = queue;
    this.caches = caches;
    this.kvFollower = kvFollower;
    this.kvSweep = new KvIndexSweep(prefixes);
    this.configuredModelIds = new Set(config.models.map((model) => model.id));
    this.reigns = new OwnReigns(config, this.fleet, logger, {
      reignBegan: (modelId, term) => {
        for (const listener of this.listeners) listener.reignBegan?.(modelId, term);
      },
      reignEnded: (modelId, owner) => this.redirectWaiting(modelId, owner),
    });
    this.log = new FleetLog(logger, metrics);
    this.strategyFaults = new StrategyFaultLog(logger);
    metrics.follow(this);
    const attentionMs = Math.ceil(config.scheduler.workerTimeoutMs / ATTENTIONS_PER_TIMEOUT);
    this.attention = new Attention(attentionMs, nowMs());
    this.attentionTimer = setInterval(() => this.attend(), attentionMs);
    this.attentionTimer.unref();
  }

  listen(listener: DeskListener): void {
    this.listeners.add(listener);
  }

  knows(modelId: string): boolean {
    return this.configuredModelIds.has(modelId) || this.fleet.serves(modelId);
  }

  modelIds(): ReadonlySet<string> {
    return new Set([...this.configuredModelIds, ...this.fleet.servedModelIds()]);
  }

  strategyOf(modelId: string): string {
    return this.strategies.strategyFor(modelId).name;
  }

  /**
   * @param longestWaitMs  the caller's own limit; the configured one applies beside it
   * @param asksOthers     `PlaceRequest.asks_others`
   * @param exemplar       for what is measured of it
   */
  place(request: PlacementRequest, longestWaitMs: number, asksOthers: boolean, exemplar: Exemplar): PlacementTicket {
    const now = nowMs();
    const isElsewhere = asksOthers && this.reigns.mayBeElsewhere(request.modelId);
    const owner = isElsewhere ? ANY_OTHER : this.reigns.otherOwnerOf(request.modelId);
    if (owner !== undefined) {
      return { answer: Promise.resolve({ kind: 'redirected', target: owner }), abandon: () => {} };
    }
    const waitMs = Math.min(longestWaitMs, this.config.scheduler.queueTimeoutMs);
    const { ticketId, decisions } = this.queue.enqueue(request, now + waitMs, now);
    this.metrics.noteDecision(nowMs() - now, exemplar);
    const answer = this.askers.ask(ticketId, exemplar);
    this.carryOut(decisions);
    const abandon = () => {
      if (!this.askers.leave(ticketId)) return;
      this.queue.cancel(ticketId);
      this.carryOut(this.queue.place(nowMs()));
    };
    return { answer, abandon };
  }

  /** @returns the ids that are not live */
  renew(leaseIds: readonly string[]): string[] {
    this.attend();
    return this.leases.renew(leaseIds, nowMs());
  }

  /** The first token of a generation came. A lease that is not live any more says nothing. */
  noteFirstToken(leaseId: string, ttftMs: number, exemplar: Exemplar): void {
    const lease = this.leases.leaseOf(leaseId);
    if (lease !== undefined) this.metrics.noteFirstToken(lease, ttftMs, exemplar);
  }

  /** @param notHonoured  leases that their worker refused or could not keep */
  release(ended: readonly LeaseOutcome[], notHonoured: readonly string[]): void {
    const now = nowMs();
    for (const outcome of ended) this.queue.settle(outcome, now);
    const decisions = this.queue.returnRefused(notHonoured, now);
    const leaseIds = ended.map(({ leaseId }) => leaseId);
    this.carryOut([...decisions, ...this.queue.release(leaseIds, now)]);
  }

  register(registration: Registration): RegisterOutcome {
    const outcome = this.fleet.register(registration, nowMs());
    this.log.registered(registration, outcome);
    if (outcome.kind === 'replaced') this.forgetBlocks(registration.workerId);
    if (outcome.kind === 'updated') this.carryOut(this.queue.place(nowMs()));
    else this.awaitFirstReport();
    return outcome;
  }

  report(workerId: string, workerEpoch: number, report: StateReport): void {
    this.log.leasesEnded(this.fleet.report(workerId, workerEpoch, report, nowMs()), 'not-held');
    this.reigns.noteTerms(report.leaseTerms);
    this.reigns.revise();
    this.carryOut(this.queue.place(nowMs()));
  }

  heard(workerId: string, workerEpoch: number): void {
    this.fleet.heard(workerId, workerEpoch, nowMs());
  }

  /** @returns whether the worker is to send a snapshot of all it holds */
  applyKvEvents(workerId: string, workerEpoch: number, events: KvEvents): boolean {
    this.heard(workerId, workerEpoch);
    const following = this.kvFollower.apply(workerId, events);
    this.kvSweep.wake(); // a snapshot begins with nothing
    return following === 'needs-snapshot';
  }

  startDraining(workerId: string, workerEpoch: number): void {
    this.fleet.startDraining(workerId, workerEpoch, nowMs());
    this.log.draining(workerId, workerEpoch);
    this.carryOut(this.queue.place(nowMs()));
  }

  removeWorker(workerId: string, workerEpoch: number): void {
    const departure = this.fleet.remove(workerId, workerEpoch, nowMs());
    if (departure === undefined) return;
    this.noteDeparture(departure, 'its stream ended');
    this.reigns.revise();
    this.carryOut(this.queue.place(nowMs()));
  }

  /** The terms of the models that this scheduler places, for workers that come later. */
  get termsHeld(): ReadonlyMap<string, number> {
    return this.reigns.terms;
  }

  /** Refuses what comes and what waits; leases live on in the gateways that hold them. */
  beforeApplicationShutdown(): void {
    this.isClosed = true;
    this.expiry.close();
    clearInterval(this.attentionTimer);
    this.carryOut(this.queue.close(nowMs()));
  }

  /**
   * A worker may come with work of an earlier scheduler, and says so in the report that follows its registration: those that
   * wait get places on it then, or when the report is late.
   */
  private awaitFirstReport(): void {
    this.carryOut([]);
    const late = setTimeout(() => {
      if (!this.isClosed) this.carryOut(this.queue.place(nowMs()));
    }, this.config.scheduler.reportIntervalMs);
    late.unref();
  }

  /** What waits is placed by the new owner. @returns how many do */
  private redirectWaiting(modelId: string, target: string): number {
    const tickets = this.queue.withdraw(modelId);
    for (const ticketId of tickets) this.askers.answer(ticketId, { kind: 'redirected', target });
    return tickets.length;
  }

  private termOf(decision: PlacementAnswer): number {
    return this.reigns.terms.get(decision.kind === 'placed' ? decision.lease.modelId : decision.modelId) ?? 0;
  }

  private carryOut(decisions: readonly PlacementDecision[]): void {
    for (const decision of decisions) {
      switch (decision.kind) {
        case 'placed':
        case 'refused':
          this.metrics.noteAnswer(decision, this.askers.exemplarOf(decision.ticketId));
          this.askers.answer(decision.ticketId, { ...decision, term: this.termOf(decision) });
          break;
        case 'lease-ended':
          this.log.leasesEnded([decision.lease], decision.cause);
          break;
        case 'worker-left':
          this.noteDeparture(decision.departure, `silent for ${this.config.scheduler.workerTimeoutMs} ms`);
          break;
        case 'strategy-failed':
          this.metrics.noteStrategyFault(decision);
          this.strategyFaults.report(decision);
          break;
        default:
          decision satisfies never;
      }
    }
    for (const listener of this.listeners) listener.fleetChanged?.();
    const dueMs = this.queue.nextDueMs();
    if (dueMs !== undefined) this.expiry.wakeAt(dueMs);
  }

  private noteDeparture(departure: WorkerDeparture, why: string): void {
    this.forgetBlocks(departure.workerId);
    this.log.left(departure, why);
    for (const listener of this.listeners) listener.workerLeft?.(departure);
  }

  private forgetBlocks(workerId: string): void {
    this.kvFollower.forget(workerId);
    this.kvSweep.wake();
  }

  /** This process may have been stopped: what it could not hear meanwhile was not silence. */
  private attend(): void {
    const now = nowMs();
    const awayMs = this.attention.comeBy(now);
    if (awayMs === 0) return;
    this.queue.excuse(awayMs, now);
    if (awayMs >= this.config.scheduler.workerTimeoutMs) {
      this.logger.warn({ away_ms: Math.round(awayMs) }, 'this process did not run for a while');
    }
  }
}
