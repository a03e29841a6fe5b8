import type { DashboardSpecification } from './dashboard.js';
import { graph, stat } from './panels.js';
import { faultsBy, rateBy } from './rates.js';

/** Processes of ours, whatever else Prometheus scrapes. */
const OURS =
  'and on (instance) (hydra_gateway_requests_in_flight or max by (instance) (hydra_scheduler_workers) or hydra_worker_engine_up)';

export const overview: DashboardSpecification = {
  name: 'overview',
  title: 'Overview',
  description: 'Is everything well? What users feel, how much there is to do, and what runs.',
  narrowedBy: ['model'],
  rows: {
    Now: [
      stat({
        title: 'Requests',
        description: 'Requests answered each second, whatever the answer.',
        unit: 'reqps',
        queries: [{ expr: 'sum(rate(hydra_gateway_requests_total[$__rate_interval]))', legend: 'requests' }],
      }),
      stat({
        title: 'Failed requests',
        description: 'Share of requests of the last 5 minutes that ended with a fault of ours.',
        unit: 'percentunit',
        thresholds: { warning: 0.001, critical: 0.05 },
        alert: 'HydraErrorRatioHigh',
        queries: [{ expr: 'hydra:request_errors:ratio_rate5m', legend: 'failed' }],
      }),
      stat({
        title: 'Time to first token, p99',
        description:
          'What the slowest hundredth waits from the arrival of a request to its first token; the slowest of the models.',
        unit: 's',
        thresholds: { warning: 2, critical: 5 },
        alert: 'HydraTimeToFirstTokenHigh',
        queries: [{ expr: 'max(model:hydra_time_to_first_token_seconds:p99_rate5m{model=~"$model"})', legend: 'p99' }],
      }),
      stat({
        title: 'Gap between tokens, p99',
        description: 'The longest hundredth of the gaps between two deliveries of a stream.',
        unit: 's',
        thresholds: { warning: 0.2, critical: 0.5 },
        alert: 'HydraInterTokenLatencyHigh',
        queries: [{ expr: 'max(model:hydra_inter_token_latency_seconds:p99_rate5m{model=~"$model"})', legend: 'p99' }],
      }),
      stat({
        title: 'Saturation',
        description: 'How full the workers of the fullest model are for new requests; at 1 requests wait.',
        unit: 'percentunit',
        thresholds: { warning: 0.8, critical: 0.95 },
        alert: 'HydraQueueLong',
        queries: [{ expr: 'max(model:hydra_saturation:avg{model=~"$model"})', legend: 'saturation' }],
      }),
      stat({
        title: 'Alerts',
        description: 'Alerts of HydraServe that fire now.',
        unit: 'none',
        thresholds: { warning: 1, critical: 2 },
        queries: [{ expr: 'count(ALERTS{service="hydraserve", alertstate="firing"}) or vector(0)', legend: 'firing' }],
      }),
    ],
    Load: [
      graph({
        title: 'Requests by code',
        description: 'Requests answered each second, by `ok` or the code of the error.',
        unit: 'reqps',
        alert: 'HydraErrorBudgetBurnFast',
        queries: [rateBy(['code'], 'hydra_gateway_requests_total')],
      }),
      graph({
        title: 'Tokens',
        description: 'Tokens of prompts (of them cached) and of answers, each second.',
        unit: 'short',
        queries: [
          {
            expr: 'sum(rate(hydra_gateway_prompt_tokens_total{model=~"$model"}[$__rate_interval]))',
            legend: 'prompts',
          },
          {
            expr: 'sum(rate(hydra_gateway_cached_prompt_tokens_total{model=~"$model"}[$__rate_interval]))',
            legend: 'of them cached',
          },
          {
            expr: 'sum(rate(hydra_gateway_completion_tokens_total{model=~"$model"}[$__rate_interval]))',
            legend: 'answers',
          },
        ],
      }),
      graph({
        title: 'Requests at once',
        description: 'Requests in flight at gateways, and of them those that wait for a place.',
        unit: 'short',
        alert: 'HydraQueueLong',
        queries: [
          { expr: 'sum(hydra_gateway_requests_in_flight)', legend: 'in flight' },
          { expr: 'sum(hydra_scheduler_waiting_requests{model=~"$model"})', legend: 'waiting' },
        ],
      }),
      graph({
        title: 'Workers',
        description: 'Workers that take requests, and such that drain.',
        unit: 'short',
        alert: 'HydraNoWorkers',
        queries: [{ expr: 'max by (state) (hydra_scheduler_workers)', legend: '{{state}}' }],
      }),
    ],
    Processes: [
      graph({
        title: 'Event loop lag, p99',
        description: 'How long each process is busy or stopped at a time.',
        unit: 's',
        thresholds: { warning: 0.1, critical: 0.25 },
        alert: 'HydraEventLoopLag',
        queries: [{ expr: `nodejs_eventloop_lag_p99_seconds ${OURS}`, legend: '{{instance}}' }],
      }),
      graph({
        title: 'Memory',
        description: 'Resident memory of each process.',
        unit: 'bytes',
        queries: [{ expr: `process_resident_memory_bytes ${OURS}`, legend: '{{instance}}' }],
      }),
      graph({
        title: 'Processor',
        description: 'Cores in use by each process.',
        unit: 'short',
        queries: [{ expr: `rate(process_cpu_seconds_total[$__rate_interval]) ${OURS}`, legend: '{{instance}}' }],
      }),
      graph({
        title: 'Certificates: time left',
        description: 'Until the first certificate of each file ends; with TLS alone.',
        unit: 'dtdurations',
        alert: 'HydraCertificateNotRenewed',
        queries: [{ expr: 'min by (file) (hydra_certificate_expiry_timestamp_seconds) - time()', legend: '{{file}}' }],
      }),
      graph({
        title: 'Readings of hydra.yaml',
        description: 'In five minutes, by outcome; and settings that count with the next start of their process.',
        unit: 'short',
        alert: 'HydraConfigRefused',
        queries: [
          { expr: 'sum by (outcome) (increase(hydra_config_reloads_total[5m]))', legend: '{{outcome}}' },
          { expr: 'max(hydra_config_pending_settings)', legend: 'waiting for a start' },
          { expr: 'sum(hydra_config_refused)', legend: 'processes with a refused file' },
        ],
      }),
      graph({
        title: 'Refused for their TLS',
        description: 'Connections and calls that either end refuses, each second, by reason; with TLS alone.',
        unit: 'short',
        queries: [faultsBy(['reason'], 'hydra_tls_refused_total')],
      }),
    ],
  },
};
