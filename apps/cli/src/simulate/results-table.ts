import type { SimulationResult } from '#lib/simulator';
import { formatTable } from '../terminal/table.js';

/** One line per strategy, the figures people compare first. */
export function resultsTable(results: readonly SimulationResult[]): string {
  return formatTable(
    [
      'strategy',
      'hit',
      'TTFT mean',
      'p50',
      'p90',
      'p99',
      'slowdown p99',
      'e2e mean',
      'TPOT mean',
      'in SLO',
      'imbalance',
      'unfinished',
    ],
    results.map((result) => [
      result.strategy,
      result.block_hit_rate.toFixed(4),
      seconds(result.ttft_mean_s),
      seconds(result.ttft_p50_s),
      seconds(result.ttft_p90_s),
      seconds(result.ttft_p99_s),
      result.slowdown_p99.toFixed(1),
      seconds(result.e2e_mean_s),
      seconds(result.tpot_mean_s),
      `${(100 * result.slo_attainment).toFixed(1)}%`,
      result.imbalance_prefill_max_over_mean.toFixed(2),
      result.unfinished,
    ]),
  );
}

const seconds = (value: number) => `${value.toFixed(3)}s`;
