import type { DashboardSpecification } from './dashboard.js';
import { graph, stat } from './panels.js';
import { quantiles } from './quantiles.js';

/** Of the objectives in helm/hydraserve/rules/alerts.yaml. */
const ERROR_BUDGET = 0.001;
const FIRST_TOKEN_BUDGET = 0.01;

const MODEL = 'model=~"$model"';

export const latency: DashboardSpecification = {
  name: 'latency',
  title: 'Latency and objectives',
  description:
    'Whether objectives are met (99.9 % of requests without a fault of ours, 99 % of first tokens within 2 s), and where time goes.',
  narrowedBy: ['model'],
  rows: {
    Objectives: [
      stat({
        title: 'Without faults, 3 days',
        description: 'Share of requests of three days that did not end with a fault of ours.',
        unit: 'percentunit',
        thresholds: { warning: 0.9995, critical: 0.999 },
        alert: 'HydraErrorBudgetBurnSlow',
        queries: [{ expr: '1 - hydra:request_errors:ratio_rate3d', legend: 'without faults' }],
      }),
      stat({
        title: 'First tokens in time, 3 days',
        description: 'Share of first tokens of three days that came within 2 s; the worst of the models.',
        unit: 'percentunit',
        thresholds: { warning: 0.995, critical: 0.99 },
        alert: 'HydraFirstTokenBudgetBurnSlow',
        queries: [{ expr: `1 - max(model:hydra_slow_first_tokens:ratio_rate3d{${MODEL}})`, legend: 'in time' }],
      }),
      graph({
        title: 'Burn of the error budget',
        description:
          'How many times faster than allowed the budget of failures is used up, over different times. At 14.4 a month is gone in two days.',
        unit: 'short',
        thresholds: { warning: 1, critical: 6 },
        alert: 'HydraErrorBudgetBurnFast',
        queries: ['5m', '1h', '6h', '3d'].map((window) => ({
          expr: `hydra:request_errors:ratio_rate${window} / ${ERROR_BUDGET}`,
          legend: window,
        })),
      }),
      graph({
        title: 'Burn of the budget of late first tokens',
        description:
          'How many times faster than allowed the budget of first tokens beyond 2 s is used up; the worst of the models.',
        unit: 'short',
        thresholds: { warning: 1, critical: 6 },
        alert: 'HydraFirstTokenBudgetBurnFast',
        queries: ['5m', '1h', '6h', '3d'].map((window) => ({
          expr: `max(model:hydra_slow_first_tokens:ratio_rate${window}{${MODEL}}) / ${FIRST_TOKEN_BUDGET}`,
          legend: window,
        })),
      }),
    ],
    'What clients see': [
      graph({
        title: 'Time to first token',
        description: 'From the arrival of a request at a gateway to its first token.',
        unit: 's',
        thresholds: { warning: 2, critical: 5 },
        alert: 'HydraTimeToFirstTokenHigh',
        queries: quantiles('hydra_gateway_time_to_first_token_seconds', MODEL),
      }),
      graph({
        title: 'Gap between tokens',
        description: 'Between two deliveries of a streamed choice.',
        unit: 's',
        thresholds: { warning: 0.2, critical: 0.5 },
        alert: 'HydraInterTokenLatencyHigh',
        queries: quantiles('hydra_gateway_inter_token_latency_seconds', MODEL),
      }),
      graph({
        title: 'Whole request',
        description: 'From arrival to the end of the answer, by route.',
        unit: 's',
        queries: quantiles('hydra_gateway_request_duration_seconds', MODEL, ['route']),
      }),
      graph({
        title: 'Time per output token',
        description: 'Mean time of a token after the first, of whole answers (gen_ai.server.time_per_output_token).',
        unit: 's',
        queries: quantiles('gen_ai_server_time_per_output_token_seconds', 'gen_ai_request_model=~"$model"'),
      }),
    ],
    'Where time goes': [
      graph({
        title: 'Wait for a place',
        description: 'From asking the scheduler to its answer.',
        unit: 's',
        alert: 'HydraQueueLong',
        queries: quantiles('hydra_scheduler_wait_seconds', MODEL),
      }),
      graph({
        title: 'Wait in the worker',
        description: 'From arrival at the worker to the first step.',
        unit: 's',
        queries: quantiles('hydra_worker_queue_seconds', MODEL),
      }),
      graph({
        title: 'First token in the worker',
        description: 'From arrival at the worker to the first token: its queue and the computing of the prompt.',
        unit: 's',
        queries: quantiles('hydra_worker_time_to_first_token_seconds', MODEL),
      }),
      graph({
        title: 'Gap between tokens in the worker',
        description: 'Between two tokens of a sequence.',
        unit: 's',
        queries: quantiles('hydra_worker_inter_token_latency_seconds', MODEL),
      }),
    ],
    Predictions: [
      graph({
        title: 'Actual over predicted first token',
        description: 'Near 1 the scheduler knows how long a first token takes; far above, a worker has become slower.',
        unit: 'short',
        alert: 'HydraTimeToFirstTokenHigh',
        queries: quantiles('hydra_scheduler_ttft_prediction_ratio', MODEL),
      }),
      graph({
        title: 'Predicted and actual first token, p90',
        description: 'From submission to the first token, as the strategy foresaw it and as it came.',
        unit: 's',
        queries: ['predicted', 'actual'].map((kind) => ({
          expr: `histogram_quantile(0.9, sum by (le) (rate(hydra_scheduler_${kind}_ttft_seconds_bucket{${MODEL}}[$__rate_interval])))`,
          legend: kind,
        })),
      }),
    ],
  },
};
