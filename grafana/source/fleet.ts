import type { DashboardSpecification } from './dashboard.js';
import { graph } from './panels.js';
import { quantiles } from './quantiles.js';
import { rateBy } from './rates.js';

const MODEL = 'model=~"$model"';

export const fleet: DashboardSpecification = {
  name: 'fleet',
  title: 'Scheduler and fleet',
  description: 'Who waits, where requests go and why, and which workers there are.',
  narrowedBy: ['model', 'worker'],
  rows: {
    Queue: [
      graph({
        title: 'Waiting requests',
        description: 'Requests that wait for a worker with room, by model.',
        unit: 'short',
        alert: 'HydraQueueLong',
        queries: [{ expr: `sum by (model) (hydra_scheduler_waiting_requests{${MODEL}})`, legend: '{{model}}' }],
      }),
      graph({
        title: 'Refusals',
        description: 'Requests that got no place, each second, by reason.',
        unit: 'reqps',
        alert: 'HydraQueueRefuses',
        queries: [rateBy(['reason'], 'hydra_scheduler_refusals_total', MODEL)],
      }),
      graph({
        title: 'Saturation of workers',
        description:
          'How full each worker is for new requests: sequences, tokens of its next steps or KV, whichever is fullest.',
        unit: 'percentunit',
        thresholds: { warning: 0.8, critical: 0.95 },
        alert: 'HydraQueueLong',
        queries: [
          {
            expr: `max by (worker) (hydra_scheduler_worker_saturation_ratio{${MODEL}, worker=~"$worker"})`,
            legend: '{{worker}}',
          },
        ],
      }),
      graph({
        title: 'Time of a decision',
        description: 'Processor time in which a scheduler places, refuses or queues one request.',
        unit: 's',
        queries: quantiles('hydra_scheduler_decision_seconds', ''),
      }),
    ],
    Placement: [
      graph({
        title: 'Why workers were chosen',
        description:
          'Placements each second: no other worker had room, the worker holds some of the prompt, or it had the least to do.',
        unit: 'reqps',
        queries: [rateBy(['reason'], 'hydra_scheduler_placements_total', MODEL)],
      }),
      graph({
        title: 'Placements by strategy',
        description: 'Placements each second, by strategy.',
        unit: 'reqps',
        queries: [rateBy(['strategy'], 'hydra_scheduler_placements_total', MODEL)],
      }),
      graph({
        title: 'Leases',
        description: 'Generations on each worker, as the scheduler counts them.',
        unit: 'short',
        queries: [{ expr: 'sum by (worker) (hydra_scheduler_leases{worker=~"$worker"})', legend: '{{worker}}' }],
      }),
      graph({
        title: 'Placed again, placed blindly',
        description:
          'Generations placed again after a worker refused or lost them, and placements without a scheduler.',
        unit: 'reqps',
        alert: 'HydraPlacedWithoutScheduler',
        queries: [
          {
            expr: 'sum(rate(hydra_gateway_placements_repeated_total[$__rate_interval])) or vector(0)',
            legend: 'again',
          },
          {
            expr: 'sum(rate(hydra_gateway_placements_without_scheduler_total[$__rate_interval]))',
            legend: 'without scheduler',
          },
          {
            expr: 'sum(rate(hydra_scheduler_strategy_faults_total[$__rate_interval])) or vector(0)',
            legend: 'faults of strategies',
          },
        ],
      }),
    ],
    Workers: [
      graph({
        title: 'Workers that left',
        description: 'In five minutes: drained, lost without a word, or replaced by a later life of theirs.',
        unit: 'short',
        alert: 'HydraWorkerFlapping',
        queries: [
          { expr: 'max by (cause) (increase(hydra_scheduler_worker_departures_total[5m]))', legend: '{{cause}}' },
        ],
      }),
      graph({
        title: 'Leases that ended by themselves',
        description: 'Each second, by cause: not renewed in time, replaced, gone with their worker, or not held by it.',
        unit: 'short',
        alert: 'HydraWorkerFlapping',
        queries: [rateBy(['cause'], 'hydra_scheduler_leases_ended_total')],
      }),
    ],
  },
};
