import { randomInt } from 'node:crypto';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { type HydraConfig, schedulerTargets } from '#lib/config';
import type { KvEvents, Registration, StateReport } from '#lib/contracts';
import { APP_LOGGER, type Logger } from '#lib/observability';
import {
  Attention,
  FleetState,
  KvFollower,
  KvIndex,
  type Lease,
  type LeaseOutcome,
  LeaseTable,
  type PlacementAnswer,
  type PlacementDecision,
  PlacementQueue,
  type PlacementRequest,
  type RegisterOutcome,
  Reigns,
  seededRandom,
  type WorkerDeparture,
} from '#lib/placement';
import { ModelStrategies } from './model-strategies.js';
import { PlacementMetrics } from './placement-metrics.js';
import { nowMs } from './scheduler-clock.js';
import { HYDRA_CONFIG } from './scheduler-config.js';
import { StrategyFaultLog } from './strategy-fault-log.js';

/** How often the desk looks whether its own process runs, within the time that a worker may be silent. */
const ATTENTIONS_PER_TIMEOUT = 10;

/** Workers whose blocks the index can tell apart. */
const KV_INDEX_WORKERS = 256;

/** The answer to whoever asked: a decision, under the term of this scheduler's reign, or who decides instead. */
export type DeskAnswer =
  | (PlacementAnswer & { readonly term: number })
  | { readonly kind: 'redirected'; readonly target: string };

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
  private readonly configuredModelIds: ReadonlySet<string>;
  isClosed = false;

  private readonly kvFollower: KvFollower;
  private readonly reigns: Reigns;
  private readonly answers = new Map<number, (answer: DeskAnswer) => void>();
  private readonly strategyFaults: StrategyFaultLog;
  private readonly listeners = new Set<DeskListener>();
  private readonly attention: Attention;
  private readonly attentionTimer: NodeJS.Timeout;
  private timer: NodeJS.Timeout | undefined;
  private timerDueMs = Number.POSITIVE_INFINITY;

  constructor(
    @Inject(HYDRA_CONFIG) private readonly config: HydraConfig,
    @Inject(APP_LOGGER) private readonly logger: Logger,
    strategies: ModelStrategies,
    private readonly metrics: PlacementMetrics,
  ) {
    const { leaseTtlMs, workerTimeoutMs, kvIndexBlocks } = config.scheduler;
    this.leases = new LeaseTable({ leaseTtlMs, idPrefix: this.schedulerEpoch.toString(36) });
    const room = {
      workerTimeoutMs,
      // They may change while the scheduler runs, as below.
      get waitingPerWorker() {
        return config.scheduler.waitingPerWorker;
      },
      get stepsPerWorker() {
        return config.scheduler.stepsPerWorker;
      },
    };
    this.fleet = new FleetState(room, this.leases);
    const kvIndex = new KvIndex({ capacityBlocks: kvIndexBlocks, capacityWorkers: KV_INDEX_WORKERS });
    this.kvFollower = new KvFollower(kvIndex);
    this.configuredModelIds = new Set(config.models.map((model) => model.id));
    this.queue = new PlacementQueue(
      {
        get queueLength() {
          return config.scheduler.queueLength;
        },
        expectedModelIds: this.configuredModelIds,
        get lossGraceMs() {
          return config.scheduler.queueTimeoutMs;
        },
      },
      {
        fleet: this.fleet,
        leases: this.leases,
        strategyFor: (modelId) => strategies.strategyFor(modelId),
        random: seededRandom(randomInt(2 ** 32)),
        prefixes: kvIndex,
      },
    );
    this.reigns = new Reigns(config.scheduler.target, [
      ...new Set([...schedulerTargets(config), config.scheduler.target]),
    ]);
    this.strategyFaults = new StrategyFaultLog(logger);
    metrics.follow(this);
    const attentionMs = Math.ceil(workerTimeoutMs / ATTENTIONS_PER_TIMEOUT);
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
    const served = this.fleet.snapshot().flatMap(({ registration }) => registration.models);
    return new Set([...this.configuredModelIds, ...served.map(({ modelId }) => modelId)]);
  }

  /** @param longestWaitMs  the caller's own limit; the configured one applies beside it */
  place(request: PlacementRequest, longestWaitMs: number): PlacementTicket {
    const now = nowMs();
    const owner = this.reigns.ownerOf(request.modelId);
    if (owner !== this.config.scheduler.target) {
      return { answer: Promise.resolve({ kind: 'redirected', target: owner }), abandon: () => {} };
    }
    this.reignOver(request.modelId);
    const waitMs = Math.min(longestWaitMs, this.config.scheduler.queueTimeoutMs);
    const { ticketId, decisions } = this.queue.enqueue(request, now + waitMs, now);
    this.metrics.noteDecision(nowMs() - now);
    const answer = new Promise<DeskAnswer>((resolve) => this.answers.set(ticketId, resolve));
    this.carryOut(decisions);
    const abandon = () => {
      if (!this.answers.delete(ticketId)) return;
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
  noteFirstToken(leaseId: string, ttftMs: number): void {
    const lease = this.leases.leaseOf(leaseId);
    if (lease !== undefined) this.metrics.noteFirstToken(lease, ttftMs);
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
    const { workerId: worker, workerEpoch: worker_epoch, target, models } = registration;
    const about = { worker, worker_epoch, target, models: models.map((model) => model.modelId) };
    if (outcome.kind === 'superseded') this.logger.warn({ ...about, by_epoch: outcome.byEpoch }, 'old worker refused');
    else this.logger.info(about, `worker ${outcome.kind}`);
    if (outcome.kind === 'replaced') {
      this.metrics.noteDeparture('replaced');
      this.kvFollower.forget(worker);
      this.noteEnded(outcome.endedLeases, 'worker-left');
    }
    if (outcome.kind === 'updated') this.carryOut(this.queue.place(nowMs()));
    else this.awaitFirstReport();
    return outcome;
  }

  report(workerId: string, workerEpoch: number, report: StateReport): void {
    this.noteEnded(this.fleet.report(workerId, workerEpoch, report, nowMs()), 'not-held');
    for (const [modelId, term] of Object.entries(report.leaseTerms)) this.reigns.noteTerm(modelId, term);
    this.reviseReigns();
    this.carryOut(this.queue.place(nowMs()));
  }

  heard(workerId: string, workerEpoch: number): void {
    this.fleet.heard(workerId, workerEpoch, nowMs());
  }

  /** @returns whether the worker is to send a snapshot of all it holds */
  applyKvEvents(workerId: string, workerEpoch: number, events: KvEvents): boolean {
    this.heard(workerId, workerEpoch);
    return this.kvFollower.apply(workerId, events) === 'needs-snapshot';
  }

  startDraining(workerId: string, workerEpoch: number): void {
    this.fleet.startDraining(workerId, workerEpoch, nowMs());
    this.logger.info({ worker: workerId, worker_epoch: workerEpoch }, 'worker drains');
    this.carryOut(this.queue.place(nowMs()));
  }

  removeWorker(workerId: string, workerEpoch: number): void {
    const departure = this.fleet.remove(workerId, workerEpoch, nowMs());
    if (departure === undefined) return;
    this.noteDeparture(departure, 'its stream ended');
    this.reviseReigns();
    this.carryOut(this.queue.place(nowMs()));
  }

  /** The terms of the models that this scheduler places, for workers that come later. */
  get termsHeld(): ReadonlyMap<string, number> {
    return this.reigns.held;
  }

  /** Refuses what comes and what waits; leases live on in the gateways that hold them. */
  beforeApplicationShutdown(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
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

  /** Who else lives may have changed, and with it which models are placed here. */
  private reviseReigns(): void {
    if (this.reigns.isAlone) return;
    this.reigns.noteLiving(this.fleet.schedulers());
    for (const modelId of this.fleet.servedModelIds()) {
      const owner = this.reigns.ownerOf(modelId);
      if (owner === this.config.scheduler.target) this.reignOver(modelId);
      else if (this.reigns.held.has(modelId)) this.abdicate(modelId, owner);
    }
  }

  private reignOver(modelId: string): void {
    const { term, isNew } = this.reigns.claim(modelId, nowMs());
    if (!isNew) return;
    this.logger.info({ model: modelId, term }, 'this scheduler places the model');
    for (const listener of this.listeners) listener.reignBegan?.(modelId, term);
  }

  /** What waits is placed by the new owner. */
  private abdicate(modelId: string, target: string): void {
    this.reigns.abdicate(modelId);
    const tickets = this.queue.withdraw(modelId);
    this.logger.info({ model: modelId, owner: target, waiting: tickets.length }, 'another scheduler places the model');
    for (const ticketId of tickets) {
      this.answers.get(ticketId)?.({ kind: 'redirected', target });
      this.answers.delete(ticketId);
    }
  }

  private termOf(decision: PlacementAnswer): number {
    return this.reigns.held.get(decision.kind === 'placed' ? decision.lease.modelId : decision.modelId) ?? 0;
  }

  private carryOut(decisions: readonly PlacementDecision[]): void {
    for (const decision of decisions) {
      switch (decision.kind) {
        case 'placed':
        case 'refused':
          this.metrics.noteAnswer(decision);
          this.answers.get(decision.ticketId)?.({ ...decision, term: this.termOf(decision) });
          this.answers.delete(decision.ticketId);
          break;
        case 'lease-ended':
          this.noteEnded([decision.lease], decision.cause);
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
    this.wakeWhenDue();
  }

  private noteDeparture(departure: WorkerDeparture, why: string): void {
    const { workerId: worker, workerEpoch: worker_epoch, endedLeases, wasDraining } = departure;
    this.kvFollower.forget(worker);
    this.metrics.noteDeparture(wasDraining ? 'drained' : 'lost');
    const level = wasDraining && endedLeases.length === 0 ? 'info' : 'warn';
    this.logger[level]({ worker, worker_epoch, leases: endedLeases.length, why }, 'worker left');
    this.noteEnded(endedLeases, 'worker-left');
    for (const listener of this.listeners) listener.workerLeft?.(departure);
  }

  private noteEnded(leases: readonly Lease[], cause: 'expired' | 'replaced' | 'worker-left' | 'not-held'): void {
    this.metrics.noteLeasesEnded(leases.length, cause);
    // A worker that left is one event, with one line of its own.
    const level = cause === 'worker-left' ? 'debug' : 'info';
    for (const { leaseId: lease, generationId: generation_id, workerId: worker } of leases) {
      this.logger[level]({ lease, generation_id, worker, cause }, 'lease ended by itself');
    }
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

  private wakeWhenDue(): void {
    const dueMs = this.queue.nextDueMs();
    if (this.isClosed || dueMs === undefined || dueMs >= this.timerDueMs) return;
    clearTimeout(this.timer);
    this.timerDueMs = dueMs;
    this.timer = setTimeout(
      () => {
        this.timerDueMs = Number.POSITIVE_INFINITY;
        this.attend();
        this.carryOut(this.queue.expire(nowMs()));
      },
      Math.max(1, Math.ceil(dueMs - nowMs())),
    );
  }
}
