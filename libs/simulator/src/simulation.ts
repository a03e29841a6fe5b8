import { createEviction, type Eviction, PrefixHashes } from '#lib/kv';
import {
  FleetState,
  KvIndex,
  LeaseTable,
  type PlacementAnswer,
  type PlacementDecision,
  PlacementQueue,
  type PlacementStrategy,
  type PrefillOrder,
  PrefixUses,
  rememberedPrefixes,
  seededRandom,
} from '#lib/placement';
import { measure, type SimulationResult } from './measurements.js';
import { type BlockChange, type PeriodicReport, PeriodicReports } from './periodic-reports.js';
import type { ScaledTrace } from './scale-trace.js';
import { SimulatedCache } from './simulated-cache.js';
import { SimulatedRequest } from './simulated-request.js';
import { SimulatedWorker } from './simulated-worker.js';
import type { WorkerModel } from './worker-model.js';
import {
  blockHash,
  intervalReportOf,
  MODEL_ID,
  registrationOf,
  stateReportOf,
  stepReportOf,
  workerIdOf,
} from './worker-reports.js';

/** Name of the reference in which all workers share one cache. */
export const POOLED = 'pooled';

/** Tokens a request may generate, as far as the scheduler is told: it never sees the real length. */
const OUTPUT_BOUND_TOKENS = 4_096;

export interface SimulationOptions {
  readonly trace: ScaledTrace;
  readonly workers: number;
  readonly strategy: PlacementStrategy;
  readonly seed: number;
  readonly order: PrefillOrder;
  /** Which cached blocks go first when a worker needs room. */
  readonly eviction: Eviction;
  readonly model: WorkerModel;
  /** Microseconds of a running clock, to time decisions; it changes no other figure. */
  readonly clockUs: () => number;
  /**
   * Seconds between a worker's reports, and nothing is known of it in between, as on a platform at its slowest; absent: workers
   * report each step as it begins.
   */
  readonly reportIntervalS?: number;
  /** Every worker reads one cache of `workers × kvBlocks` at no cost: a reference, not a strategy. */
  readonly isPooled?: boolean;
}

export interface Simulation {
  readonly result: SimulationResult;
  /** In order of arrival. */
  readonly requests: readonly SimulatedRequest[];
}

/** Runs a trace through the placement queue and simulated workers, in virtual time. */
export function simulate(options: SimulationOptions): Simulation {
  return new Run(options).run();
}

class Run {
  private readonly leases = new LeaseTable({ leaseTtlMs: Number.POSITIVE_INFINITY, idPrefix: 'l' });
  private readonly fleet: FleetState;
  private readonly queue: PlacementQueue;
  private readonly workers: SimulatedWorker[] = [];
  private readonly requests: readonly SimulatedRequest[];
  private readonly byTicket = new Map<number, SimulatedRequest>();
  private readonly leaseIds: string[] = [];
  private readonly hashes = new Map<number, Uint8Array>();
  private readonly decisionUs: number[] = [];
  private readonly prefixes: KvIndex;
  private readonly reports: PeriodicReports | undefined;
  private imbalanceSum = 0;
  private nowS = 0;

  constructor(private readonly options: SimulationOptions) {
    const { trace, strategy, seed, workers, model } = options;
    const capacityBlocks = (workers + 1) * model.kvBlocks;
    this.prefixes = new KvIndex({ capacityBlocks, capacityWorkers: workers });
    this.requests = trace.requests.map((request, index) => new SimulatedRequest(index, request));
    this.fleet = new FleetState(
      {
        workerTimeoutMs: Number.POSITIVE_INFINITY,
        waitingPerWorker: this.requests.length,
        stepsPerWorker: Number.POSITIVE_INFINITY,
      },
      this.leases,
    );
    this.queue = new PlacementQueue(
      { queueLength: this.requests.length, expectedModelIds: new Set([MODEL_ID]), lossGraceMs: 0 },
      {
        fleet: this.fleet,
        leases: this.leases,
        strategyFor: () => strategy,
        random: seededRandom(seed),
        prefixes: this.prefixes,
        uses: new PrefixUses(rememberedPrefixes(capacityBlocks)),
      },
    );
    const ids = Array.from({ length: workers }, (_, index) => workerIdOf(index));
    const { reportIntervalS } = options;
    this.reports = reportIntervalS === undefined ? undefined : new PeriodicReports(reportIntervalS, workers);
    const shared = options.isPooled ? this.cacheOf(undefined, workers * model.kvBlocks) : undefined;
    for (const [index, id] of ids.entries()) {
      this.fleet.register(registrationOf(id, model, options.order), 0);
      const cache = shared ?? this.cacheOf(index, model.kvBlocks);
      const finished = (request: SimulatedRequest) => this.finish(request);
      this.workers.push(new SimulatedWorker(index, model, options.order, cache, finished));
    }
  }

  run(): Simulation {
    let next = 0;
    for (;;) {
      const arrivalS = this.requests[next]?.trace.timeS ?? Number.POSITIVE_INFINITY;
      const stepOrArrivalS = this.workers.reduce((least, { stepEndsS }) => Math.min(least, stepEndsS), arrivalS);
      if (stepOrArrivalS === Number.POSITIVE_INFINITY) break;
      this.nowS = Math.min(stepOrArrivalS, this.reports?.nextS ?? stepOrArrivalS);
      for (const due of this.reports?.dueUntil(this.nowS) ?? []) this.reportInterval(due);
      // What ends at a moment has ended for those who arrive at it; workers begin when all who arrive at it have been placed.
      for (const worker of this.workers) if (worker.stepEndsS === this.nowS) this.endStep(worker);
      while (next < this.requests.length && this.requests[next]!.trace.timeS === this.nowS)
        this.arrive(this.requests[next++]!);
      for (const worker of this.workers) if (worker.isIdle) this.startStep(worker);
    }
    return { result: this.measured(), requests: this.requests };
  }

  private arrive(request: SimulatedRequest): void {
    const { promptTokens, blockIds } = request.trace;
    const placeable = {
      generationId: request.generationId,
      tenantId: 'simulated',
      modelId: MODEL_ID,
      adapterId: '',
      promptTokens,
      maxOutputTokens: OUTPUT_BOUND_TOKENS,
      sequenceCount: 1,
      prefixHashes: PrefixHashes.of(blockIds.map((id) => this.hashOf(id))),
      sessionKey: '',
      priority: 0,
      attempt: 0,
      avoidWorkerIds: [],
      ttftDeadlineUnixMs: 0,
      explain: false,
    };
    const startedUs = this.options.clockUs();
    const { ticketId, decisions } = this.queue.enqueue(placeable, Number.POSITIVE_INFINITY, this.nowMs);
    this.decisionUs.push(this.options.clockUs() - startedUs);
    this.byTicket.set(ticketId, request);
    this.carryOut(decisions);
    const outstanding = this.workers.map((worker) => worker.waitingCount + worker.runningCount);
    const sum = outstanding.reduce((total, one) => total + one, 0);
    if (sum > 0) this.imbalanceSum += (Math.max(...outstanding) * outstanding.length) / sum; // none where it was refused
  }

  private carryOut(decisions: readonly PlacementDecision[]): void {
    for (const decision of decisions) {
      switch (decision.kind) {
        case 'placed':
        case 'refused':
          this.answer(decision);
          break;
        case 'strategy-failed':
          throw new Error(`the strategy ${decision.strategy} failed`, { cause: decision.cause });
        default: // nothing expires here
      }
    }
  }

  private answer(answer: PlacementAnswer): void {
    const request = this.byTicket.get(answer.ticketId)!; // tickets are kept until they are answered
    this.byTicket.delete(answer.ticketId);
    if (answer.kind === 'refused') return; // it stays unfinished
    const worker = this.workers[Number(answer.lease.workerId.slice(1))]!;
    if (!worker.couldHold(request)) {
      this.carryOut(this.queue.release([answer.lease.leaseId], this.nowMs)); // it stays unfinished, too
      return;
    }
    request.workerIndex = worker.index;
    request.dispatchedS = this.nowS;
    request.earlierUses = answer.earlierUses;
    this.leaseIds[request.index] = answer.lease.leaseId;
    worker.submit(request);
  }

  private endStep(worker: SimulatedWorker): void {
    worker.endStep();
    if (this.reports === undefined) this.fleet.report(workerIdOf(worker.index), 1, stateReportOf(worker), this.nowMs);
  }

  private reportInterval({ workerIndex, sequence, changes }: PeriodicReport): void {
    const { model, reportIntervalS } = this.options;
    const workerId = workerIdOf(workerIndex);
    for (const change of changes) this.apply(workerIndex, change);
    const report = intervalReportOf(this.workers[workerIndex]!, model, sequence, reportIntervalS!); // reports are made with it
    this.fleet.report(workerId, 1, report, this.nowMs);
    this.carryOut(this.queue.place(this.nowMs));
  }

  private startStep(worker: SimulatedWorker): void {
    const finished =
      worker.lastEndS === this.nowS
        ? { load: worker.load, durationMs: (this.nowS - worker.stepStartedS) * 1_000 }
        : undefined;
    worker.startStep(this.nowS);
    if (this.reports !== undefined || (finished === undefined && worker.isIdle)) return;
    this.fleet.reportStep(workerIdOf(worker.index), 1, stepReportOf(worker, this.options.model, finished), this.nowMs);
  }

  private finish(request: SimulatedRequest): void {
    this.carryOut(this.queue.release([this.leaseIds[request.index]!], this.nowMs));
  }

  /** @param index  of the worker whose cache it is; undefined for one that all share, and see at once */
  private cacheOf(index: number | undefined, kvBlocks: number): SimulatedCache {
    const holders = index === undefined ? this.options.workers : 1;
    const changed = (change: BlockChange) => {
      if (index !== undefined && this.reports !== undefined) this.reports.note(index, change);
      else for (let holder = 0; holder < holders; holder++) this.apply(index ?? holder, change);
    };
    return new SimulatedCache(
      kvBlocks,
      createEviction(this.options.eviction, (blockId) => blockId),
      {
        stored: (blockId) => changed({ kind: 'stored', blockId }),
        removed: (blockId) => changed({ kind: 'removed', blockId }),
      },
    );
  }

  private apply(workerIndex: number, { kind, blockId }: BlockChange): void {
    this.prefixes[kind](workerIdOf(workerIndex), this.hashOf(blockId));
  }

  private hashOf(blockId: number): Uint8Array {
    const known = this.hashes.get(blockId);
    if (known !== undefined) return known;
    const made = blockHash(blockId);
    this.hashes.set(blockId, made);
    return made;
  }

  private get nowMs(): number {
    return this.nowS * 1_000;
  }

  private measured(): SimulationResult {
    return measure({
      strategy: this.options.isPooled ? POOLED : this.options.strategy.name,
      model: this.options.model,
      requests: this.requests,
      durationS: this.options.trace.durationS,
      prefillTokensByWorker: this.workers.map((worker) => worker.computedPrefillTokens),
      imbalanceOutstandingMean: this.imbalanceSum / this.requests.length,
      decisionUs: this.decisionUs,
    });
  }
}
