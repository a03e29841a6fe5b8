import type { Prefix } from '../forecast/expected-prefix.js';
import { Followers } from '../forecast/followers.js';
import { meanRetentionMs } from '../forecast/mean-retention.js';
import { MeanWork } from '../forecast/mean-work.js';
import { SparedWork } from '../forecast/spared-work.js';
import { forecastsOn, TtftForecast, TtftForecaster } from '../forecast/ttft-forecast.js';
import type { PlacementRequest } from '../placement-request.js';
import { type PlacementChoice, type PlacementContext, PlacementStrategy } from '../placement-strategy.js';
import { TermColumns, type TermsTable } from '../terms-table.js';
import type { WorkerView } from '../worker-view.js';
import { ReuseRate } from './reuse-rate.js';
import { Rotation } from './rotation.js';

export interface PredictedTtftOptions {
  /** Looks at nothing but this request's own first token: the reference that prices are measured against. */
  readonly isSelfish?: boolean;
}

/**
 * Milliseconds of a first token that a millisecond of a worker's time is worth, whoever it delays: work that is spared is power and
 * room in the caches. Chosen: between 1 and 3 first tokens change by 1 %, which no trace tells from chance, and hits by 3 %.
 */
const PRICE_OF_WORK = 2;

/**
 * Of the work that a cache spares, how much is lost while its worker is busy. Chosen: those who come in that time wait half of it on
 * average, or compute elsewhere. Between 0.3 and 1 the mean first token of the worst of eight cells of two public traces is 1.11 to 1.14 of pooled (synthetic), 1.05 to 1.07 (conversation).
 */
const LOST_WHILE_BUSY = 0.5;

/** How likely a block that is about to be evicted is found again, of how likely an average one is. Chosen: reuse gets rarer with age. */
const WORTH_OF_OLDEST = 0.1;

/** Milliseconds of a first token that one millisecond's delay of a decoding sequence is worth. Chosen: it evens out decoding. */
const DECODE_PRICE = 0.003;

/**
 * `predicted-ttft`: the worker where the first token costs least, this request's own and everybody else's.
 *
 * Formula: `costMs = ttftMs + loadMs + delayMs + evictionMs + decodeMs`, least wins, then whose turn it is.
 * | term | is |
 * |---|---|
 * | ttftMs | rest of the step that runs + prompts ahead in the worker's order + this prompt but for what is cached or about to be (`TtftForecaster`) |
 * | loadMs | `(p + demand / 2) × bearable(workMs)`, `p = 2 + followers`: later prompts that come before the worker has nothing left to compute, as observed (`Followers`). Whoever would be delayed by more than a prompt's mean work w̄ tends to go elsewhere, so `bearable(w)` is w up to w̄ and `w̄ (1 + ln(w / w̄))` beyond. demand: work that the worker's cache spares, over time (`SparedWork`): those who come for it would wait, so new prompts keep away from where many come back |
 * | delayMs | `workMs` for each prompt on the worker that this one passes (`order: srpt`) |
 * | evictionMs | blocks this prompt would push out: `min(1, 0.1 × reuse × youth) × (1 + p) × workMs`; reuse: how many uses of a block are followed by another, lately; youth: mean time that prompts stay in the caches over this worker's. What is pushed out is computed once more at most, so it is a chance |
 * | decodeMs | 0.3 % of what decoding sequences lose |
 *
 * `workMs` is the time that this prompt takes from everybody else on the worker: the steps' time for what is not cached. So cached
 * prefixes draw requests the more the busier the fleet is, and hot prefixes spread when waiting for them costs more than
 * computing them again. What was just sent counts at once; no term waits for a metric. All speeds are fitted online, per worker
 * (`StepTimeModel`).
 *
 * **Fetching.** Where workers have blocks from each other, or from caches, each candidate is reckoned several times: computing what it lacks,
 * fetching it from the worker that holds the longest prefix by the KV index, and from the caches (`BlockSources`). Then
 * `ttftMs = max(step + prompts ahead, fetchMs) + this prompt but for what it then has`, `fetchMs` = latency + bytes / bandwidth as
 * observed (`FetchTimeModel`), and `workMs` is that of the rest; it pushes out as much as when it computed. The cheapest one counts; of a worker that
 * asks the caches whatever it costs (`kvcache.fetch: always`), what they hold is fetched.
 *
 * No options. Terms: the above, and `price` (p), `demand`, `stepMs`, `queueMs`, `prefillMs`, `workMs`, `cachedBlocks`, `cachedTokens`, `fetchedBlocks`, `fetchMs` (0 where it computes),
 * `delayedPrompts`, `costMs`.
 */
export class PredictedTtftStrategy extends PlacementStrategy {
  readonly name: string = 'predicted-ttft';
  override readonly fetchesBlocks = true;
  private readonly rotation = new Rotation();
  private readonly reuse = new ReuseRate();
  private readonly followers = new Followers();
  private readonly meanWork = new MeanWork();
  private readonly sparedWork = new SparedWork();
  private readonly forecaster = new TtftForecaster();
  private readonly columns = new TermColumns(TERM);
  /** Of the candidate that is looked at: when it computes all that it lacks, and in the two ways to fetch some of it. */
  private readonly computing = new Way(undefined);
  private readonly fetching = [new Way(0), new Way(1)] as const;

  constructor(private readonly options: PredictedTtftOptions = {}) {
    super();
  }

  choose(request: PlacementRequest, candidates: readonly WorkerView[], context: PlacementContext): PlacementChoice {
    const { workers, nowMs } = context;
    this.followers.observe(workers);
    const pending = meanPending(workers);
    const retentionMs = meanRetentionMs(workers, nowMs);
    const price = this.pricing(context, pending, retentionMs);
    const terms = this.columns.table(candidates.map(({ workerId }) => workerId));
    for (let row = 0; row < candidates.length; row++) {
      const worker = candidates[row]!;
      const prefix = context.prefix.of(worker);
      const way = this.cheapestWay(worker, prefix, request, context, price);
      note(terms, row, prefix, way);
    }
    const chosen = this.rotation.nextOfLeast(request.modelId, candidates, (_, index) => terms.at(index, TERM.costMs));
    const { workerId } = chosen;
    const row = candidates.indexOf(chosen);
    const { option } = this.cheapestWay(chosen, context.prefix.of(chosen), request, context, price);
    const fetch = option === undefined ? undefined : context.sources?.optionsFor(chosen)[option];
    const workMs = terms.at(row, TERM.workMs);
    this.reuse.note(terms.at(row, TERM.cachedBlocks), request.prefixHashes.length);
    this.followers.placed(workerId, pending);
    this.meanWork.note(workMs);
    const uncachedMs = forecastsOn(chosen, request, nowMs, this.forecaster).computing(0, this.computing).workMs;
    this.sparedWork.placed(workerId, Math.max(0, uncachedMs - workMs), retentionMs, nowMs);
    return { workerId, terms, ttftMs: terms.at(row, TERM.ttftMs), fetch };
  }

  /** The cheapest way for a candidate to have what it lacks; good until the next candidate is looked at. */
  private cheapestWay(
    worker: WorkerView,
    prefix: Prefix,
    request: PlacementRequest,
    { sources, nowMs }: PlacementContext,
    price: Pricing,
  ): Way {
    const forecasts = forecastsOn(worker, request, nowMs, this.forecaster);
    const { computing } = this;
    forecasts.computing(prefix.tokens, computing);
    price(worker, computing);
    let cheapest = computing;
    if (sources === undefined) return cheapest;
    const options = sources.optionsFor(worker);
    for (let index = 0; index < options.length; index++) {
      const option = options[index]!;
      const fetching = this.fetching[index]!;
      forecasts.fetching(option, fetching);
      const isForced = option.isCertain && cheapest === computing;
      if (!isForced && isAsGood(cheapest, fetching)) continue;
      price(worker, fetching, computing);
      fetching.fetchedBlocks = option.blocks - option.ownBlocks;
      fetching.fetchMs = option.fetchMs;
      if (isForced || fetching.costMs < cheapest.costMs) cheapest = fetching;
    }
    return cheapest;
  }

  /**
   * What others pay for a request's work, in milliseconds of their first tokens. What is the same in every way on a worker is taken from the
   * first way: what it fetches pushes out as much as what it would compute.
   */
  private pricing({ nowMs }: PlacementContext, pending: number, retentionMs: number | undefined): Pricing {
    if (this.options.isSelfish) {
      return (_worker, way) => {
        way.costMs = costMs(way);
      };
    }
    const price = PRICE_OF_WORK + this.followers.expected(pending);
    const reuseOfOldest = WORTH_OF_OLDEST * this.reuse.perUse;
    return (worker, way, first) => {
      const { workMs } = way;
      way.price = price;
      way.demand = first?.demand ?? this.sparedWork.rateOf(worker.workerId, retentionMs, nowMs);
      way.loadMs = (price + LOST_WHILE_BUSY * way.demand) * this.meanWork.bearable(workMs);
      way.delayMs = way.delayedPrompts * workMs;
      way.evictionMs =
        first?.evictionMs ??
        Math.min(1, reuseOfOldest * relativeYouth(worker, retentionMs, nowMs)) * (1 + price) * workMs;
      way.decodeMs = DECODE_PRICE * worker.mirror.decodingSequences * workMs;
      way.costMs = costMs(way);
    };
  }
}

/** Adds to a way what it costs; `first` is one on the same worker that has been priced. */
type Pricing = (worker: WorkerView, way: Way, first?: Way) => void;

/** A way for a candidate to have what it lacks of the prompt. Numbers only: one that is written to again and again costs least so. */
class Way extends TtftForecast {
  price = 0;
  demand = 0;
  loadMs = 0;
  delayMs = 0;
  evictionMs = 0;
  decodeMs = 0;
  costMs = 0;
  /** What it fetches. */
  fetchedBlocks = 0;
  fetchMs = 0;

  /** @param option  which one of the candidate's `BlockSources.optionsFor`; undefined where it computes */
  constructor(readonly option: number | undefined) {
    super();
  }
}

/** In everything that costs something: whatever that is, the other one is not cheaper. */
function isAsGood(way: Way, other: Way): boolean {
  return way.ttftMs <= other.ttftMs && way.workMs <= other.workMs && way.delayedPrompts <= other.delayedPrompts;
}

function costMs({ ttftMs, loadMs, delayMs, evictionMs, decodeMs }: Way): number {
  return ttftMs + loadMs + delayMs + evictionMs + decodeMs;
}

/** Where each term is in their table. */
const TERM = {
  stepMs: 0,
  queueMs: 1,
  prefillMs: 2,
  workMs: 3,
  delayedPrompts: 4,
  ttftMs: 5,
  price: 6,
  demand: 7,
  loadMs: 8,
  delayMs: 9,
  evictionMs: 10,
  decodeMs: 11,
  cachedBlocks: 12,
  cachedTokens: 13,
  fetchedBlocks: 14,
  fetchMs: 15,
  costMs: 16,
} as const;

function note(terms: TermsTable<keyof typeof TERM>, row: number, { blocks, tokens }: Prefix, way: Way): void {
  terms.set(row, TERM.stepMs, way.stepMs);
  terms.set(row, TERM.queueMs, way.queueMs);
  terms.set(row, TERM.prefillMs, way.prefillMs);
  terms.set(row, TERM.workMs, way.workMs);
  terms.set(row, TERM.delayedPrompts, way.delayedPrompts);
  terms.set(row, TERM.ttftMs, way.ttftMs);
  terms.set(row, TERM.price, way.price);
  terms.set(row, TERM.demand, way.demand);
  terms.set(row, TERM.loadMs, way.loadMs);
  terms.set(row, TERM.delayMs, way.delayMs);
  terms.set(row, TERM.evictionMs, way.evictionMs);
  terms.set(row, TERM.decodeMs, way.decodeMs);
  terms.set(row, TERM.cachedBlocks, blocks);
  terms.set(row, TERM.cachedTokens, tokens);
  terms.set(row, TERM.fetchedBlocks, way.fetchedBlocks);
  terms.set(row, TERM.fetchMs, way.fetchMs);
  terms.set(row, TERM.costMs, way.costMs);
}

function meanPending(workers: readonly WorkerView[]): number {
  return workers.reduce((sum, { mirror }) => sum + mirror.pendingCount, 0) / workers.length;
}

/** Mean time that prompts stay in the caches over that of a worker: above 1, what it would evict is younger than elsewhere. */
function relativeYouth({ mirror }: WorkerView, meanMs: number | undefined, nowMs: number): number {
  const retentionMs = mirror.retentionMs(nowMs);
  return meanMs === undefined || retentionMs === undefined ? 0 : meanMs / Math.max(1, retentionMs);
}
