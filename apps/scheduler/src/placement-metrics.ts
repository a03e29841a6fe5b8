import { Injectable } from '@nestjs/common';
import { Counter, Gauge, type Histogram } from 'prom-client';
import {
  beginAtZero,
  type Exemplar,
  histogramWithExemplars,
  LATENCY_BUCKETS_SECONDS,
  observe,
  ownedName,
  readGauge,
} from '#lib/observability';
import {
  type CacheFleet,
  type FleetState,
  type Lease,
  type PlacementAnswer,
  type PlacementQueue,
  REFUSAL_REASONS,
  type StrategyFault,
  saturationOf,
} from '#lib/placement';
import { nowMs } from './scheduler-clock.js';

/** Even steps to both sides of 1: a prediction that is off by a factor counts alike above and below. */
const RATIO_BUCKETS = [0.1, 0.25, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 10];

/** Predictions are compared as if they were at least this long: no ratio without bound, and nobody waits for less. */
const LEAST_PREDICTION_MS = 1;

/** From what a small fleet takes to what is felt in a first token. */
const DECISION_BUCKETS_SECONDS = [10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 20e-3];

/** Where the gauges read, at each scrape. */
export interface MeasuredDesk {
  readonly fleet: FleetState;
  readonly queue: PlacementQueue;
  readonly caches: CacheFleet;
  /** Whether the model is configured, or served now. */
  knows(modelId: string): boolean;
  /** Those that are configured, and those that are served now. */
  modelIds(): ReadonlySet<string>;
  /** Name of the strategy that places a model. */
  strategyOf(modelId: string): string;
}

/** The scheduler's own metrics; names are an interface, documented in docs/scheduling.md. */
@Injectable()
export class PlacementMetrics {
  private desk: MeasuredDesk | undefined;

  private readonly waitSeconds = histogramWithExemplars({
    name: ownedName('hydra_scheduler_wait_seconds'),
    help: 'Time from asking for a place to the answer, in seconds.',
    labelNames: ['model', 'outcome'] as const,
    buckets: LATENCY_BUCKETS_SECONDS,
  });
  private readonly decisionSeconds = histogramWithExemplars({
    name: ownedName('hydra_scheduler_decision_seconds'),
    help: 'CPU time of taking one request: placing it, refusing it or putting it into the queue, in seconds.',
    buckets: DECISION_BUCKETS_SECONDS,
  });
  private readonly placements = new Counter({
    name: ownedName('hydra_scheduler_placements_total'),
    help: 'Requests placed, by why the worker was chosen: only-choice, prefix-held or load.',
    labelNames: ['model', 'strategy', 'reason'] as const,
  });
  private readonly fetches = new Counter({
    name: ownedName('hydra_scheduler_kv_fetches_total'),
    help: 'Requests placed on a worker that is to fetch blocks of their prompt, from another worker or from caches (kvcache).',
    labelNames: ['model', 'from'] as const,
  });
  private readonly refusals = new Counter({
    name: ownedName('hydra_scheduler_refusals_total'),
    help: 'Requests refused, by reason.',
    labelNames: ['model', 'reason'] as const,
    collect: () => this.beginSeriesOfModels(),
  });
  private readonly leasesEnded = new Counter({
    name: ownedName('hydra_scheduler_leases_ended_total'),
    help: 'Leases that ended without being released: expired, replaced, worker-left, not-held.',
    labelNames: ['cause'] as const,
  });

  private readonly strategyFaults = new Counter({
    name: ownedName('hydra_scheduler_strategy_faults_total'),
    help: 'Decisions in which a strategy threw or chose no candidate; each refused one request.',
    labelNames: ['model', 'strategy'] as const,
    collect: () => this.beginSeriesOfModels(),
  });

  private readonly ttftRatio = byModel(
    'hydra_scheduler_ttft_prediction_ratio',
    'Actual over predicted time to first token, of requests whose strategy predicts it.',
    RATIO_BUCKETS,
  );
  private readonly predictedTtft = byModel(
    'hydra_scheduler_predicted_ttft_seconds',
    'Time from submission to first token as the strategy predicted it, in seconds, of requests that had one.',
    LATENCY_BUCKETS_SECONDS,
  );
  private readonly actualTtft = byModel(
    'hydra_scheduler_actual_ttft_seconds',
    'Time from submission to first token as it was, in seconds, of requests for which it was predicted.',
    LATENCY_BUCKETS_SECONDS,
  );
  private readonly departures = new Counter({
    name: ownedName('hydra_scheduler_worker_departures_total'),
    help: 'Workers that left: drained, lost (gone without a word), or replaced by a later life of theirs.',
    labelNames: ['cause'] as const,
  });

  constructor() {
    beginAtZero(this.leasesEnded, 'cause', ['expired', 'replaced', 'worker-left', 'not-held']);
    beginAtZero(this.departures, 'cause', ['drained', 'lost', 'replaced']);
    this.measureCaches();
    const read = (update: (desk: MeasuredDesk) => void) => {
      if (this.desk !== undefined) update(this.desk);
    };
    new Gauge({
      name: ownedName('hydra_scheduler_waiting_requests'),
      help: 'Requests that wait for a place.',
      labelNames: ['model'] as const,
      collect() {
        this.reset();
        read((desk) => {
          let unserved = desk.queue.waitingCount;
          for (const model of desk.modelIds()) {
            const waiting = desk.queue.waitingCountOf(model);
            this.set({ model }, waiting);
            unserved -= waiting;
          }
          this.set({ model: 'unserved' }, unserved);
        });
      },
    });
    new Gauge({
      name: ownedName('hydra_scheduler_worker_saturation_ratio'),
      help: 'How full a worker is for new requests, 0 to 1: sequences, tokens of its next steps or KV, whichever is fullest.',
      labelNames: ['model', 'worker'] as const,
      collect() {
        this.reset();
        read((desk) => {
          for (const model of desk.modelIds()) {
            for (const view of desk.fleet.workersOf(model, nowMs())) {
              this.set({ model, worker: view.workerId }, saturationOf(view));
            }
          }
        });
      },
    });
    new Gauge({
      name: ownedName('hydra_scheduler_leases'),
      help: 'Live leases, by worker.',
      labelNames: ['worker'] as const,
      collect() {
        this.reset();
        read(({ fleet }) => {
          for (const { registration, leases } of fleet.snapshot()) this.set({ worker: registration.workerId }, leases);
        });
      },
    });
    new Gauge({
      name: ownedName('hydra_scheduler_workers'),
      help: 'Workers known, by state: taking or draining.',
      labelNames: ['state'] as const,
      collect() {
        read(({ fleet }) => {
          const members = fleet.snapshot();
          const draining = members.filter((member) => member.isDraining).length;
          this.set({ state: 'taking' }, members.length - draining);
          this.set({ state: 'draining' }, draining);
        });
      },
    });
  }

  private measureCaches(): void {
    readGauge('hydra_scheduler_kvcaches', 'Caches of KV blocks that are followed.', () => this.desk?.caches.size ?? 0);
    readGauge(
      'hydra_scheduler_kvcache_blocks',
      'Distinct blocks that they hold in memory, as far as the index has room.',
      () => this.desk?.caches.heldBlocks ?? 0,
    );
  }

  follow(desk: MeasuredDesk): void {
    this.desk = desk;
  }

  noteDecision(ms: number, exemplar: Exemplar): void {
    observe(this.decisionSeconds, {}, ms / 1_000, exemplar);
  }

  noteAnswer(answer: PlacementAnswer, exemplar: Exemplar): void {
    const model = this.labelOf(answer.kind === 'placed' ? answer.lease.modelId : answer.modelId);
    observe(this.waitSeconds, { model, outcome: answer.kind }, answer.waitedMs / 1_000, exemplar);
    if (answer.kind === 'placed') {
      this.placements.inc({ model, strategy: answer.strategy, reason: answer.reason });
      const [source] = answer.kvSources;
      if (source !== undefined) this.fetches.inc({ model, from: source.kind });
    } else this.refusals.inc({ model, reason: answer.refusal.reason });
  }

  /** @param ttftMs  from its submission to the worker to the first token at the gateway */
  noteFirstToken({ modelId, predictedTtftMs }: Lease, ttftMs: number, exemplar: Exemplar): void {
    if (predictedTtftMs === undefined) return;
    const model = this.labelOf(modelId);
    observe(this.predictedTtft, { model }, predictedTtftMs / 1_000, exemplar);
    observe(this.actualTtft, { model }, ttftMs / 1_000, exemplar);
    observe(this.ttftRatio, { model }, ttftMs / Math.max(LEAST_PREDICTION_MS, predictedTtftMs), exemplar);
  }

  noteDeparture(cause: 'drained' | 'lost' | 'replaced'): void {
    this.departures.inc({ cause });
  }

  noteStrategyFault({ modelId, strategy }: StrategyFault): void {
    this.strategyFaults.inc({ model: this.labelOf(modelId), strategy });
  }

  noteLeasesEnded(count: number, cause: string): void {
    if (count > 0) this.leasesEnded.inc({ cause }, count);
  }

  /** At each scrape, since models come and strategies change: as `beginAtZero`. */
  private beginSeriesOfModels(): void {
    for (const model of this.desk?.modelIds() ?? []) {
      for (const reason of REFUSAL_REASONS) this.refusals.inc({ model, reason }, 0);
      this.strategyFaults.inc({ model, strategy: this.desk?.strategyOf(model) ?? '' }, 0);
    }
  }

  /** Clients choose model names: only those that are known become labels. */
  private labelOf(modelId: string): string {
    return this.desk?.knows(modelId) ? modelId : 'unserved';
  }
}

function byModel(name: string, help: string, buckets: number[]): Histogram<'model'> {
  return histogramWithExemplars({ name: ownedName(name), help, labelNames: ['model'], buckets });
}
