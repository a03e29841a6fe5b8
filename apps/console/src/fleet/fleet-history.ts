import type { Fleet, FleetModel } from '../api/resources.js';
import { countsBetween, countsTogether, quantile } from './latency-buckets.js';

/** Looks that are kept: five minutes, at one in two seconds. */
const MAX_LOOKS = 150;
/** Latencies and hit rates are of so long before each look, in milliseconds. */
const WINDOW_MS = 30_000;

/** All looks at a fleet so far, oldest first; of one gateway, as each counts for itself. */
export type FleetHistory = readonly Fleet[];

/** @returns with another look; anew when another gateway answered or its counting began anew */
export function remember(history: FleetHistory, fleet: Fleet): FleetHistory {
  const last = history.at(-1);
  if (last === undefined) return [fleet];
  if (fleet.observed_at_ms <= last.observed_at_ms) return fleet.gateway === last.gateway ? history : [fleet];
  if (fleet.gateway !== last.gateway) return [fleet];
  return [...history.slice(1 - MAX_LOOKS), fleet];
}

/** One moment of the curves; what is not known then is `undefined`. */
export interface Moment {
  readonly atMs: number;
  readonly ttftP50?: number;
  readonly ttftP95?: number;
  readonly itlP50?: number;
  readonly itlP95?: number;
  readonly tokensPerSecond: number;
  readonly running: number;
  readonly waiting: number;
}

/** @param model  absent: all together */
export function momentsOf(history: FleetHistory, model?: string): readonly Moment[] {
  return history.map((fleet, index) => {
    const earlier = lookBefore(history, index);
    const latency = (which: 'ttft' | 'itl', share: number) => {
      const counts = earlier && countsBetween(countsOf(earlier, which, model), countsOf(fleet, which, model));
      const seconds = counts && quantile(share, counts, fleet.latency_buckets_seconds);
      return seconds === undefined ? undefined : seconds * 1_000;
    };
    return {
      atMs: fleet.observed_at_ms,
      ttftP50: latency('ttft', 0.5),
      ttftP95: latency('ttft', 0.95),
      itlP50: latency('itl', 0.5),
      itlP95: latency('itl', 0.95),
      tokensPerSecond: sum(fleet.workers.map(({ tokens_per_second }) => tokens_per_second)),
      running: sum(fleet.workers.map(({ running }) => running)),
      waiting: waitingIn(fleet),
    };
  });
}

/** What the fleet is like now, in a few numbers. */
export interface FleetSummary {
  readonly workers: number;
  readonly connectedWorkers: number;
  readonly inFlight: number;
  readonly waiting: number;
  readonly tokensPerSecond: number;
  /** 0 to 1; absent where no worker says how much there is. */
  readonly kvRatio?: number;
  /** Of the prompt tokens of the last half minute, else of all so far; absent when there were none. */
  readonly hitRatio?: number;
}

export function summaryOf(history: FleetHistory): FleetSummary | undefined {
  const fleet = history.at(-1);
  if (fleet === undefined) return undefined;
  const kvTotal = sum(fleet.workers.map(({ kv_total_bytes }) => kv_total_bytes));
  return {
    workers: fleet.workers.length,
    connectedWorkers: fleet.workers.filter(({ connected }) => connected).length,
    inFlight: fleet.in_flight,
    waiting: waitingIn(fleet),
    tokensPerSecond: sum(fleet.workers.map(({ tokens_per_second }) => tokens_per_second)),
    kvRatio: kvTotal === 0 ? undefined : sum(fleet.workers.map(({ kv_used_bytes }) => kv_used_bytes)) / kvTotal,
    hitRatio: hitRatioOf(lookBefore(history, history.length - 1), fleet),
  };
}

/** Those that wait in schedulers, and in workers for their batch. */
function waitingIn({ schedulers, workers }: Fleet): number {
  return sum([...schedulers, ...workers].map(({ waiting }) => waiting));
}

function hitRatioOf(earlier: Fleet | undefined, later: Fleet): number | undefined {
  const queries = (fleet: Fleet | undefined) => sum(fleet?.workers.map((worker) => worker.prefix_query_tokens) ?? []);
  const hits = (fleet: Fleet | undefined) => sum(fleet?.workers.map((worker) => worker.prefix_hit_tokens) ?? []);
  const asked = queries(later) - queries(earlier);
  if (asked > 0 && earlier !== undefined) return Math.max(0, (hits(later) - hits(earlier)) / asked);
  return queries(later) > 0 ? hits(later) / queries(later) : undefined;
}

/** The last look that lies the window before, else the first there is; `undefined` for the first itself. */
function lookBefore(history: FleetHistory, index: number): Fleet | undefined {
  const now = history[index];
  if (now === undefined || index === 0) return undefined;
  const since = now.observed_at_ms - WINDOW_MS;
  return history.slice(0, index).findLast(({ observed_at_ms }) => observed_at_ms <= since) ?? history[0];
}

function countsOf(fleet: Fleet, which: 'ttft' | 'itl', id: string | undefined): readonly number[] {
  const chosen = fleet.models.filter((model: FleetModel) => id === undefined || model.id === id);
  return countsTogether(chosen.map((model) => model[which].counts));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
