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
