import type { FetchOption } from '../forecast/block-sources.js';
import type { Prefix } from '../forecast/expected-prefix.js';
import { Followers } from '../forecast/followers.js';
import { meanRetentionMs } from '../forecast/mean-retention.js';
import { MeanWork } from '../forecast/mean-work.js';
import { SparedWork } from '../forecast/spared-work.js';
import { forecastFetching, forecastOn, type TtftForecast } from '../forecast/ttft-forecast.js';
import type { PlacementRequest } from '../placement-request.js';
import { type PlacementChoice, type PlacementContext, PlacementStrategy } from '../placement-strategy.js';
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

/** Worth of a block that is about to be evicted, of that of an average one. Chosen: reuse gets rarer with age. */
const WORTH_OF_OLDEST = 0.1;

/** Milliseconds of a first token that one millisecond's delay of a decoding sequence is worth. Chosen: it evens out decoding. */
const DECODE_PRICE = 0.003;

/**
 * `predicted-ttft`: the worker where the first token costs least, this request's own and everybody else's.
 *
 * Formula: `costMs = ttftMs + loadMs + delayMs + evictionMs + decodeMs`, least wins, then whose turn it is.
 * | term | is |
 * |---|---|
 * | ttftMs | rest of the step that runs + prompts ahead in the worker's order + this prompt but for what is cached or about to be (`forecastTtft`) |
 * | loadMs | `(p + demand / 2) × bearable(workMs)`, `p = 2 + followers`: later prompts that come before the worker has nothing left to compute, as observed (`Followers`). Whoever would be delayed by more than a prompt's mean work w̄ tends to go elsewhere, so `bearable(w)` is w up to w̄ and `w̄ (1 + ln(w / w̄))` beyond. demand: work that the worker's cache spares, over time (`SparedWork`): those who come for it would wait, so new prompts keep away from where many come back |
 * | delayMs | `workMs` for each prompt on the worker that this one passes (`order: srpt`) |
 * | evictionMs | blocks this prompt would push out: `0.1 × reuse × youth × (1 + p) × workMs`; reuse: blocks found per block computed, lately; youth: mean time that prompts stay in the caches over this worker's |
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
  /** Of the candidate that is looked at: when it computes all that it lacks, and in the two ways to fetch some of it. */
  private readonly computing = new Prices();
  private readonly fetching = [new Prices(), new Prices()] as const;

  constructor(private readonly options: PredictedTtftOptions = {}) {
    super();
  }

  choose(request: PlacementRequest, candidates: readonly WorkerView[], context: PlacementContext): PlacementChoice {
    this.followers.observe(context.workers);
    const pending = meanPending(context.workers);
    const retentionMs = meanRetentionMs(context.workers, context.nowMs);
    const pricesOf = this.prices(context, pending, retentionMs);
    const terms = new Map<string, Terms>();
    const fetches = new Map<string, FetchOption>();
    for (const worker of candidates) {
      const prefix = context.prefix.of(worker);
      let forecast = forecastOn(worker, request, prefix.tokens, context.nowMs);
      let prices = pricesOf(worker, forecast, this.computing);
      let leastMs = costMs(forecast, prices);
      let fetch: FetchOption | undefined;
      const options = context.sources?.optionsFor(worker) ?? NO_OPTIONS;
      for (let index = 0; index < options.length; index++) {
        const option = options[index]!;
        const fetched = forecastFetching(worker, request, option, context.nowMs);
        const fetching = pricesOf(worker, fetched, this.fetching[index]!, this.computing);
        const cost = costMs(fetched, fetching);
        const isForced = option.isCertain && fetch === undefined;
        if (cost >= leastMs && !isForced) continue;
        forecast = fetched;
        prices = fetching;
        leastMs = cost;
        fetch = option;
      }
      terms.set(worker.workerId, termsOf(prefix, fetch, forecast, prices));
      if (fetch !== undefined) fetches.set(worker.workerId, fetch);
    }
    const of = ({ workerId }: WorkerView) => terms.get(workerId)!; // it has all candidates
    const chosen = this.rotation.nextOfLeast(request.modelId, candidates, (worker) => of(worker).costMs);
    const { cachedBlocks, workMs, ttftMs } = of(chosen);
    this.reuse.note(cachedBlocks, request.prefixHashes.length);
    this.followers.placed(chosen.workerId, pending);
    this.meanWork.note(workMs);
    const uncachedMs = forecastOn(chosen, request, 0, context.nowMs).workMs;
    this.sparedWork.placed(chosen.workerId, Math.max(0, uncachedMs - workMs), retentionMs, context.nowMs);
    return { workerId: chosen.workerId, terms, ttftMs, fetch: fetches.get(chosen.workerId) };
  }

  /**
   * What others pay for a request's work, in milliseconds of their first tokens. Written into what is given: most of it is read once. What is the
   * same in every way on a worker is taken from the first way: what it fetches pushes out as much as what it would compute.
   */
  private prices(
    { nowMs }: PlacementContext,
    pending: number,
    retentionMs: number | undefined,
  ): (worker: WorkerView, forecast: TtftForecast, into: Prices, first?: Prices) => Prices {
    if (this.options.isSelfish) return (_worker, _forecast, into) => into;
    const price = PRICE_OF_WORK + this.followers.expected(pending);
    const worthOfEvicted = WORTH_OF_OLDEST * this.reuse.perComputedBlock;
    return (worker, { workMs, delayedPrompts }, into, first) => {
      into.price = price;
      into.demand = first?.demand ?? this.sparedWork.rateOf(worker.workerId, retentionMs, nowMs);
      into.loadMs = (price + LOST_WHILE_BUSY * into.demand) * this.meanWork.bearable(workMs);
      into.delayMs = delayedPrompts * workMs;
      into.evictionMs =
        first?.evictionMs ?? worthOfEvicted * relativeYouth(worker, retentionMs, nowMs) * (1 + price) * workMs;
      into.decodeMs = DECODE_PRICE * worker.mirror.decodingSequences * workMs;
      return into;
    };
  }
}

const NO_OPTIONS: readonly FetchOption[] = [];

class Prices {
  price = 0;
  demand = 0;
  loadMs = 0;
  delayMs = 0;
  evictionMs = 0;
  decodeMs = 0;
}

function costMs({ ttftMs }: TtftForecast, { loadMs, delayMs, evictionMs, decodeMs }: Prices): number {
  return ttftMs + loadMs + delayMs + evictionMs + decodeMs;
}

type Terms = ReturnType<typeof termsOf>;

/** Field by field: there is one for each candidate of each decision, and spreading takes twenty times as long. */
function termsOf({ blocks, tokens }: Prefix, fetch: FetchOption | undefined, forecast: TtftForecast, prices: Prices) {
  return {
    stepMs: forecast.stepMs,
    queueMs: forecast.queueMs,
    prefillMs: forecast.prefillMs,
    workMs: forecast.workMs,
    delayedPrompts: forecast.delayedPrompts,
    ttftMs: forecast.ttftMs,
    price: prices.price,
    demand: prices.demand,
    loadMs: prices.loadMs,
    delayMs: prices.delayMs,
    evictionMs: prices.evictionMs,
    decodeMs: prices.decodeMs,
    cachedBlocks: blocks,
    cachedTokens: tokens,
    fetchedBlocks: fetch === undefined ? 0 : fetch.blocks - fetch.ownBlocks,
    fetchMs: fetch?.fetchMs ?? 0,
    costMs: costMs(forecast, prices),
  };
}

function meanPending(workers: readonly WorkerView[]): number {
  return workers.reduce((sum, { mirror }) => sum + mirror.pendingCount, 0) / workers.length;
}

/** Mean time that prompts stay in the caches over that of a worker: above 1, what it would evict is younger than elsewhere. */
function relativeYouth({ mirror }: WorkerView, meanMs: number | undefined, nowMs: number): number {
  const retentionMs = mirror.retentionMs(nowMs);
  return meanMs === undefined || retentionMs === undefined ? 0 : meanMs / Math.max(1, retentionMs);
}
