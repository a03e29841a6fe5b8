import type { SimulatedRequest } from './simulated-request.js';
import { aloneSeconds, type WorkerModel } from './worker-model.js';

/** First requests by arrival that no figure counts: the caches are still filling. */
const WARM_UP_SHARE = 0.1;

/** Service level: TTFT at most max(0.2 s, 3 × alone), TPOT at most 0.1 s. */
const SLO_TTFT_S = 0.2;
const SLO_SLOWDOWN = 3;
const SLO_TPOT_S = 0.1;

/** One run in figures; times in seconds unless the name says otherwise. */
export interface SimulationResult {
  readonly strategy: string;
  readonly workers: number;
  readonly requests: number;
  /** Requests behind the figures: all but the first tenth. */
  readonly measured: number;
  /** Measured requests that did not come to their end. */
  readonly unfinished: number;
  readonly offered_rps: number;
  /** From the trace's start to the last end. */
  readonly makespan_s: number;
  readonly block_hit_rate: number;
  readonly token_hit_rate: number;
  readonly ttft_mean_s: number;
  readonly ttft_p50_s: number;
  readonly ttft_p90_s: number;
  readonly ttft_p99_s: number;
  /** TTFT over the TTFT of the same request alone on an idle, empty worker. */
  readonly slowdown_p50: number;
  readonly slowdown_p99: number;
  readonly e2e_mean_s: number;
  readonly e2e_p99_s: number;
  readonly tpot_mean_s: number;
  readonly tpot_p99_s: number;
  readonly slo_attainment: number;
  readonly goodput_rps: number;
  /** Prompt tokens computed by the busiest worker over the mean; 0 when there are none. */
  readonly imbalance_prefill_max_over_mean: number;
  /** Requests on the busiest worker over the mean, averaged over arrivals. */
  readonly imbalance_outstanding_mean: number;
  /** Real time of one decision; the only figures that differ between equal runs. */
  readonly decision_us_p50: number;
  readonly decision_us_p99: number;
}

export interface MeasuredRun {
  readonly strategy: string;
  readonly model: WorkerModel;
  /** In order of arrival. */
  readonly requests: readonly SimulatedRequest[];
  readonly durationS: number;
  readonly prefillTokensByWorker: readonly number[];
  readonly imbalanceOutstandingMean: number;
  readonly decisionUs: readonly number[];
}

/** The requests that figures count. */
export function measuredOf(requests: readonly SimulatedRequest[]): readonly SimulatedRequest[] {
  return requests.slice(Math.floor(WARM_UP_SHARE * requests.length));
}

export function measure(run: MeasuredRun): SimulationResult {
  const { model, requests } = run;
  const measured = measuredOf(requests);
  const finished = measured.filter((request) => Number.isFinite(request.finishedS));
  const ttfts = sorted(finished.map(ttftOf));
  const slowdowns = sorted(finished.map((one) => ttftOf(one) / aloneSeconds(model, one.trace.promptTokens)));
  const e2es = sorted(finished.map((one) => one.finishedS - one.trace.timeS));
  const tpots = sorted(finished.filter(({ trace }) => trace.outputTokens > 1).map(tpotOf));
  const offeredRps = run.durationS > 0 ? requests.length / run.durationS : 0; // at one moment there is no rate
  const sloAttainment = finished.filter((one) => meetsSlo(one, model)).length / measured.length;
  const mean = (values: Iterable<number>) => sumOf(values) / Math.max(1, [...values].length);
  return {
    strategy: run.strategy,
    workers: run.prefillTokensByWorker.length,
    requests: requests.length,
    measured: measured.length,
    unfinished: measured.length - finished.length,
    offered_rps: offeredRps,
    makespan_s: requests.reduce((last, { finishedS }) => Math.max(last, finishedS || 0), 0), // NaN did not finish
    block_hit_rate: ratio(
      measured,
      (one) => one.hitBlocks,
      (one) => one.trace.blockIds.length,
    ),
    token_hit_rate: ratio(
      measured,
      (one) => one.hitTokens,
      (one) => one.trace.promptTokens,
    ),
    ttft_mean_s: mean(ttfts),
    ttft_p50_s: percentile(ttfts, 0.5),
    ttft_p90_s: percentile(ttfts, 0.9),
    ttft_p99_s: percentile(ttfts, 0.99),
    slowdown_p50: percentile(slowdowns, 0.5),
    slowdown_p99: percentile(slowdowns, 0.99),
    e2e_mean_s: mean(e2es),
    e2e_p99_s: percentile(e2es, 0.99),
    tpot_mean_s: mean(tpots),
    tpot_p99_s: percentile(tpots, 0.99),
    slo_attainment: sloAttainment,
    goodput_rps: sloAttainment * offeredRps,
    imbalance_prefill_max_over_mean: over(Math.max(...run.prefillTokensByWorker), mean(run.prefillTokensByWorker)),
    imbalance_outstanding_mean: run.imbalanceOutstandingMean,
    decision_us_p50: percentile(sorted(run.decisionUs), 0.5),
    decision_us_p99: percentile(sorted(run.decisionUs), 0.99),
  };
}

export const ttftOf = (request: SimulatedRequest) => request.firstTokenS - request.trace.timeS;

function tpotOf({ finishedS, firstTokenS, trace }: SimulatedRequest): number {
  return trace.outputTokens > 1 ? (finishedS - firstTokenS) / (trace.outputTokens - 1) : 0;
}

function meetsSlo(request: SimulatedRequest, model: WorkerModel): boolean {
  const limitS = Math.max(SLO_TTFT_S, SLO_SLOWDOWN * aloneSeconds(model, request.trace.promptTokens));
  return ttftOf(request) <= limitS && tpotOf(request) <= SLO_TPOT_S;
}

function ratio(
  requests: readonly SimulatedRequest[],
  part: (request: SimulatedRequest) => number,
  whole: (request: SimulatedRequest) => number,
): number {
  return over(sumOf(requests.map(part)), sumOf(requests.map(whole)));
}

const over = (part: number, whole: number) => (whole > 0 ? part / whole : 0);

function sumOf(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

const sorted = (values: readonly number[]) => Float64Array.from(values).sort();

/** The value at index `floor(p · n)`; 0 of none. */
function percentile(ascending: Float64Array, p: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(p * ascending.length))] ?? 0;
}
