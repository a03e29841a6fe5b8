import type { Outcome } from './steady-load.js';

export interface Restart {
  readonly app: string;
  readonly round: number;
  /** From the signal until the fleet was whole again. */
  readonly tookMs: number;
}

export interface RollReport {
  readonly name: string;
  readonly before: Latencies;
  readonly during: Latencies;
  readonly failed: readonly Outcome[];
  readonly truncated: readonly Outcome[];
  readonly restarts: readonly Restart[];
}

/** Of requests sent in a span of time. */
interface Latencies {
  readonly requests: number;
  readonly p50TtftMs: number;
  readonly p99TtftMs: number;
}

/** @param rolledFromMs  when the first restart began, as `performance.now()` */
export function reportOf(
  name: string,
  outcomes: readonly Outcome[],
  rolledFromMs: number,
  restarts: readonly Restart[],
): RollReport {
  return {
    name,
    before: latencies(outcomes.filter(({ sentMs }) => sentMs < rolledFromMs)),
    during: latencies(outcomes.filter(({ sentMs }) => sentMs >= rolledFromMs)),
    failed: outcomes.filter(({ failure }) => failure !== undefined),
    truncated: outcomes.filter(({ isTruncated }) => isTruncated),
    restarts,
  };
}

/** For people. */
export function shownReport({ name, before, during, failed, truncated, restarts }: RollReport): string {
  const row = (label: string, { requests, p50TtftMs, p99TtftMs }: Latencies) =>
    `  ${label.padEnd(8)} ${String(requests).padStart(6)} requests, TTFT p50 ${ms(p50TtftMs)}, p99 ${ms(p99TtftMs)}`;
  const longest = Map.groupBy(restarts, ({ app }) => app);
  return [
    `Roll of ${name}: ${restarts.length} restarts, ${failed.length} failed and ${truncated.length} truncated requests`,
    row('before', before),
    row('during', during),
    ...[...longest].map(
      ([app, all]) =>
        `  ${app}: ${all.length} times, until whole again at most ${ms(Math.max(...all.map((one) => one.tookMs)))}`,
    ),
    ...[...failed, ...truncated]
      .slice(0, 20)
      .map(({ way, gateway, model, failure }) => `  ${way} of ${model} by ${gateway}: ${failure ?? 'truncated'}`),
  ].join('\n');
}

function latencies(outcomes: readonly Outcome[]): Latencies {
  const ttfts = outcomes
    .map(({ ttftMs }) => ttftMs)
    .filter((value) => value !== undefined)
    .sort((a, b) => a - b);
  const quantile = (q: number) => ttfts[Math.min(ttfts.length - 1, Math.floor(ttfts.length * q))] ?? Number.NaN;
  return { requests: outcomes.length, p50TtftMs: quantile(0.5), p99TtftMs: quantile(0.99) };
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}
