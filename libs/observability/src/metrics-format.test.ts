import { expect, it } from 'vitest';
import { prefersOpenMetrics } from './metrics-format.js';

it.each([
  ['application/openmetrics-text', true],
  ['Application/OpenMetrics-Text; version=1.0.0', true],
  ['application/openmetrics-text; version="1.0.0"; charset=utf-8', true],
  // Prometheus 2.42, and 2.49 and later.
  [
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    true,
  ],
  [
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.4,*/*;q=0.3',
    true,
  ],
  // With `scrape_protocols: [PrometheusText0.0.4, OpenMetricsText1.0.0]`.
  ['text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,*/*;q=0.3', false],
  ['application/openmetrics-text;version=2.0.0', false],
  ['application/openmetrics-text;q=0, text/plain', false],
  ['application/openmetrics-text;q=much', false],
  ['text/plain;version=0.0.4', false],
  ['application/json, */*', false],
  ['', false],
  [undefined, false],
])('given the header %s, when a format is chosen, then OpenMetrics: %s', (accept, isOpen) => {
  expect(prefersOpenMetrics(accept)).toBe(isOpen);
});
