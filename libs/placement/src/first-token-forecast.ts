import type { BlockSources, FetchOption } from './forecast/block-sources.js';
import type { ExpectedPrefix } from './forecast/expected-prefix.js';
import { forecastsOn } from './forecast/ttft-forecast.js';
import type { PlacementRequest } from './placement-request.js';
import type { WorkerView } from './worker-view.js';

/** `TtftForecast` is of a worker's steps alone: here `ttftMs` has the wait for one of its places, too. */
export interface FirstTokenForecast {
  /** Wait for a place in the batch, while others end. */
  readonly slotMs: number;
  readonly cachedTokens: number;
  readonly prefillMs: number;
  readonly ttftMs: number;
}

/**
 * When a worker would have the request's first token, were it sent there now.
 * @param fetch  what it would fetch; undefined when it computes all that it lacks
 * @param slotIntervalMs  mean time between two places that become free on one worker
 */
export function firstTokenForecast(
  request: PlacementRequest,
  worker: WorkerView,
  prefix: ExpectedPrefix,
  fetch: FetchOption | undefined,
  slotIntervalMs: number,
  nowMs: number,
): FirstTokenForecast {
  const cachedTokens = fetch?.tokens ?? prefix.of(worker).tokens;
  const forecasts = forecastsOn(worker, request, nowMs);
  const { prefillMs, ttftMs } = fetch === undefined ? forecasts.computing(cachedTokens) : forecasts.fetching(fetch);
  const slotMs = slotsMissing(request, worker) * slotIntervalMs;
  return { slotMs, cachedTokens, prefillMs, ttftMs: ttftMs + slotMs };
}

/** When each worker would have the first token: computing what it lacks, and with what it may fetch instead. */
export function waysToFirstToken(
  request: PlacementRequest,
  prefix: ExpectedPrefix,
  sources: BlockSources | undefined,
  slotIntervalMs: number,
  nowMs: number,
): (worker: WorkerView) => FirstTokenForecast[] {
  return (worker) =>
    [undefined, ...(sources?.optionsFor(worker) ?? [])].map((fetch) =>
      firstTokenForecast(request, worker, prefix, fetch, slotIntervalMs, nowMs),
    );
}

/** Places in the worker's batch that others have to leave first. */
function slotsMissing({ sequenceCount }: PlacementRequest, { model, sequences }: WorkerView): number {
  if (model.maxRunningSequences === 0 || sequences === 0) return 0;
  return Math.max(0, sequences + sequenceCount - model.maxRunningSequences);
}
