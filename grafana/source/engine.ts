import type { DashboardSpecification } from './dashboard.js';
import { graph } from './panels.js';
import { faultsBy, rateBy } from './rates.js';

const WORKERS = 'model=~"$model", worker=~"$worker"';
const rate = (metric: string) => `sum by (worker) (rate(${metric}{${WORKERS}}[$__rate_interval]))`;

export const engine: DashboardSpecification = {
  name: 'engine',
  title: 'Engine and KV',
  description: 'What workers compute, and what they hold in memory for it.',
  narrowedBy: ['model', 'worker'],
  rows: {
    Work: [
      graph({
        title: 'Generations',
        description: 'Generations in the running batch and waiting for a place in it, by worker.',
        unit: 'short',
        queries: [
          { expr: `sum by (worker) (hydra_worker_running_generations{${WORKERS}})`, legend: '{{worker}} running' },
          { expr: `sum by (worker) (hydra_worker_waiting_generations{${WORKERS}})`, legend: '{{worker}} waiting' },
        ],
      }),
      graph({
        title: 'Tokens',
        description: 'Tokens of prompts (computed or found cached) and generated tokens, each second.',
        unit: 'short',
        queries: [
          { expr: rate('hydra_worker_prompt_tokens_total'), legend: '{{worker}} prompts' },
          { expr: rate('hydra_worker_generated_tokens_total'), legend: '{{worker}} generated' },
        ],
      }),
      graph({
        title: 'Prompt tokens to be computed',
        description: 'Accepted and not yet computed.',
        unit: 'short',
        queries: [{ expr: `sum by (worker) (hydra_worker_pending_prefill_tokens{${WORKERS}})`, legend: '{{worker}}' }],
      }),
      graph({
        title: 'Time of a step',
        description: 'Mean time of a step, and of it in the model.',
        unit: 's',
        alert: 'HydraInterTokenLatencyHigh',
        queries: [
          {
            expr: `${rate('hydra_worker_step_seconds_total')} / ${rate('hydra_worker_steps_total')}`,
            legend: '{{worker}} step',
          },
          {
            expr: `${rate('hydra_worker_model_seconds_total')} / ${rate('hydra_worker_steps_total')}`,
            legend: '{{worker}} in the model',
          },
        ],
      }),
      graph({
        title: 'Sequences that ended',
        description: 'Each second, by why they ended.',
        unit: 'short',
        queries: [rateBy(['finished_reason'], 'hydra_worker_sequences_total', WORKERS)],
      }),
      graph({
        title: 'Failures',
        description: 'Generations refused or broken off each second, by code; none is what it should be.',
        unit: 'short',
        alert: 'HydraEngineCrashLoop',
        queries: [faultsBy(['code'], 'hydra_worker_failures_total', WORKERS)],
      }),
    ],
    'KV memory': [
      graph({
        title: 'KV memory in use',
        description: 'Share of the memory for attention state that running sequences have.',
        unit: 'percentunit',
        thresholds: { warning: 0.85, critical: 0.95 },
        alert: 'HydraKvPressure',
        queries: [{ expr: `max by (worker) (hydra_worker_kv_usage_ratio{${WORKERS}})`, legend: '{{worker}}' }],
      }),
      graph({
        title: 'KV memory',
        description: 'What sequences have, what is kept of prefixes, and all there is.',
        unit: 'bytes',
        alert: 'HydraKvPressure',
        queries: [
          { expr: `sum by (worker) (hydra_worker_kv_used_bytes{${WORKERS}})`, legend: '{{worker}} sequences' },
          { expr: `sum by (worker) (hydra_worker_kv_cached_bytes{${WORKERS}})`, legend: '{{worker}} prefixes' },
          { expr: `sum by (worker) (hydra_worker_kv_bytes{${WORKERS}})`, legend: '{{worker}} all' },
        ],
      }),
      graph({
        title: 'Prefix hits',
        description: 'Share of the prompt tokens looked up that were found in the prefix store.',
        unit: 'percentunit',
        queries: [
          {
            expr: `${rate('hydra_worker_prefix_hit_tokens_total')} / ${rate('hydra_worker_prefix_queried_tokens_total')}`,
            legend: '{{worker}}',
          },
        ],
      }),
      graph({
        title: 'Evictions and preemptions',
        description: 'Blocks of prefixes that made room, and sequences that lost their state, each second.',
        unit: 'short',
        alert: 'HydraPreemptions',
        queries: [
          { expr: rate('hydra_worker_prefix_evicted_blocks_total'), legend: '{{worker}} blocks evicted' },
          { expr: rate('hydra_worker_preemptions_total'), legend: '{{worker}} sequences preempted' },
        ],
      }),
    ],
    Engine: [
      graph({
        title: 'Memory of adapters',
        description: 'What the LoRA adapters that are loaded take, beside the memory for attention state.',
        unit: 'bytes',
        queries: [{ expr: `sum by (worker) (hydra_worker_adapter_bytes{${WORKERS}})`, legend: '{{worker}}' }],
      }),
      graph({
        title: 'Engine answers',
        description: '1 while the engine can answer.',
        unit: 'none',
        thresholds: { warning: 1, critical: 0.5 },
        alert: 'HydraEngineDown',
        queries: [{ expr: `min by (worker) (hydra_worker_engine_up{${WORKERS}})`, legend: '{{worker}}' }],
      }),
      graph({
        title: 'Starts and losses of the engine',
        description: 'Since the process began: starts by outcome, and times that the running engine broke or hung.',
        unit: 'none',
        alert: 'HydraEngineCrashLoop',
        queries: [
          {
            expr: `sum by (worker, outcome) (hydra_worker_engine_starts_total{${WORKERS}})`,
            legend: '{{worker}} {{outcome}}',
          },
          { expr: `sum by (worker) (hydra_worker_engine_losses_total{${WORKERS}})`, legend: '{{worker}} lost' },
        ],
      }),
    ],
  },
};
