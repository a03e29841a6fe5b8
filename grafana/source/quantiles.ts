import type { PanelQuery } from './panels.js';

/** What most see, what some see, what the slowest see. */
const QUANTILES = { p50: 0.5, p90: 0.9, p99: 0.99 };

/**
 * Quantiles of a histogram.
 * @param selector  labels of the histogram, without braces
 * @param by        labels that have lines of their own
 * @param hasExemplars  whether its values point to traces
 */
export function quantiles(
  histogram: string,
  selector: string,
  by: readonly string[] = [],
  { hasExemplars = true } = {},
): PanelQuery[] {
  const legend = by.map((label) => `{{${label}}} `).join('');
  return Object.entries(QUANTILES).map(([name, quantile]) => ({
    expr: `histogram_quantile(${quantile}, sum by (${[...by, 'le'].join(', ')}) (rate(${histogram}_bucket{${selector}}[$__rate_interval])))`,
    legend: `${legend}${name}`,
    ...(name === 'p99' && hasExemplars && { hasExemplars }), // of one line: they are those of the histogram, whatever the quantile
  }));
}
