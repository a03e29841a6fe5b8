import type { PanelQuery } from './panels.js';

/**
 * How much a counter grows each second, a line for each value of some labels.
 * @param selector  labels of the counter, without braces
 */
export function rateBy(labels: readonly string[], counter: string, selector = ''): PanelQuery {
  const selected = selector === '' ? counter : `${counter}{${selector}}`;
  return {
    expr: `sum by (${labels.join(', ')}) (rate(${selected}[$__rate_interval]))`,
    legend: labels.map((label) => `{{${label}}}`).join(' '),
  };
}

/** The same for what should never happen: 0 as long as the counter has no series. */
export function faultsBy(labels: readonly string[], counter: string, selector = ''): PanelQuery {
  const { expr, legend } = rateBy(labels, counter, selector);
  return { expr: `${expr} or vector(0)`, legend };
}
