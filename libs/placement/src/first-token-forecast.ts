import type { FetchOption } from './forecast/block-sources.js';
import type { ExpectedPrefix } from './forecast/expected-prefix.js';
import { forecastsOn, type TtftForecast } from './forecast/ttft-forecast.js';
import type { PlacementRequest } from './placement-request.js';
import type { WorkerView } from './worker-view.js';

/** `TtftForecast` is of a worker's steps alone: here `ttftMs` has the wait for one of its places, too. */
export interface FirstTokenForecast extends Readonly<TtftForecast> {
  /** Wait for a place in the batch, while others end. */
  readonly slotMs: number;
  readonly cachedTokens: number;
}

/**
 * When each worker would have the request's first token, were it sent there now.
 * @param fetchOf  what a worker would fetch, where that is known or allowed
 * @param slotIntervalMs  mean time between two places that become free on one worker
 */
export function firstTokenForecasts(
  request: PlacementRequest,
  prefix: ExpectedPrefix,
  fetchOf: (worker: WorkerView) => FetchOption | undefined,
  slotIntervalMs: number,
  nowMs: number,
): (worker: WorkerView) => FirstTokenForecast {
  return (worker) => {
    const fetch = fetchOf(worker);
    const cachedTokens = fetch?.tokens ?? prefix.of(worker).tokens;
    const forecasts = forecastsOn(worker, request, nowMs);
    const forecast = fetch === undefined ? forecasts.computing(cachedTokens) : forecasts.fetching(fetch);
    const slotMs = slotsMissing(request, worker) * slotIntervalMs;
    return { ...forecast, slotMs, cachedTokens, ttftMs: forecast.ttftMs + slotMs };
  };
}

/** Places in the worker's batch that others have to leave first. */
function slotsMissing({ sequenceCount }: PlacementRequest, { model, sequences }: WorkerView): number {
  if (model.maxRunningSequences === 0 || sequences === 0) return 0;
  return Math.max(0, sequences + sequenceCount - model.maxRunningSequences);
}
