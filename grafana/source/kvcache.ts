import type { DashboardSpecification } from './dashboard.js';
import { graph } from './panels.js';
import { quantiles } from './quantiles.js';
import { faultsBy, rateBy } from './rates.js';

const WORKERS = 'model=~"$model", worker=~"$worker"';
const rate = (metric: string) => `sum by (instance) (rate(${metric}[$__rate_interval]))`;

export const kvcache: DashboardSpecification = {
  name: 'kvcache',
  title: 'Caches of KV blocks',
  description: 'What the caches that workers share hold, what is found in them, and what it costs.',
  narrowedBy: ['model', 'worker'],
  rows: {
    Caches: [
      graph({
        title: 'Hits',
        description: 'Share of the blocks asked for that were found, in any tier.',
        unit: 'percentunit',
        queries: [
          {
            expr: `${rate('hydra_kvcache_found_blocks_total')} / (${rate('hydra_kvcache_asked_blocks_total')} > 0)`,
            legend: '{{instance}}',
          },
        ],
      }),
      graph({
        title: 'Blocks found, by tier',
        description: 'Each second; the rest of what was asked for is computed by workers.',
        unit: 'short',
        queries: [
          rateBy(['tier'], 'hydra_kvcache_found_blocks_total'),
          { expr: 'sum(rate(hydra_kvcache_asked_blocks_total[$__rate_interval]))', legend: 'asked for' },
        ],
      }),
      graph({
        title: 'Blocks taken and refused',
        description: 'Each second. Refused are blocks that are damaged or too large, by reason.',
        unit: 'short',
        queries: [
          { expr: 'sum(rate(hydra_kvcache_stored_blocks_total[$__rate_interval]))', legend: 'taken' },
          faultsBy(['reason'], 'hydra_kvcache_refused_blocks_total'),
        ],
      }),
      graph({
        title: 'Memory',
        description: 'What blocks take, in whole pages, and the most that they may take.',
        unit: 'bytes',
        queries: [
          { expr: 'sum by (instance) (hydra_kvcache_memory_used_bytes)', legend: '{{instance}}' },
          { expr: 'sum by (instance) (hydra_kvcache_memory_capacity_bytes)', legend: '{{instance}} at most' },
        ],
      }),
      graph({
        title: 'Blocks that schedulers know',
        description:
          'Distinct blocks in memory of all caches by which schedulers place, beside those that are held; a block in several layouts counts once.',
        unit: 'short',
        queries: [
          { expr: 'sum by (instance) (hydra_scheduler_kvcache_blocks)', legend: 'known to {{instance}}' },
          { expr: 'sum(hydra_kvcache_memory_blocks)', legend: 'held' },
        ],
      }),
      graph({
        title: 'Blocks that made room',
        description: 'Blocks evicted from memory, each second; those that Redis holds can still be found.',
        unit: 'short',
        queries: [{ expr: rate('hydra_kvcache_memory_evicted_blocks_total'), legend: '{{instance}}' }],
      }),
      graph({
        title: 'Damaged blocks',
        description:
          'Blocks that a tier gave back otherwise than they were stored, each second; none is what it should be.',
        unit: 'short',
        alert: 'HydraKvcacheDamagedBlocks',
        queries: [faultsBy(['tier'], 'hydra_kvcache_damaged_blocks_total')],
      }),
    ],
    Costs: [
      graph({
        title: 'Time of a call to a tier',
        description: 'Of one call, by tier; a call may be for many blocks.',
        unit: 's',
        queries: quantiles('hydra_kvcache_tier_seconds', '', ['tier'], { hasExemplars: false }),
      }),
      graph({
        title: 'Bytes sent',
        description: 'To workers, each second.',
        unit: 'bytes',
        queries: [{ expr: rate('hydra_kvcache_served_bytes_total'), legend: '{{instance}}' }],
      }),
      graph({
        title: 'Calls refused',
        description: 'Calls of workers that were refused or broken off, each second, by gRPC status.',
        unit: 'short',
        queries: [faultsBy(['code'], 'hydra_kvcache_refused_calls_total')],
      }),
      graph({
        title: 'Redis',
        description: '1 while a cache asks Redis, 0 while it leaves it alone.',
        unit: 'none',
        thresholds: { warning: 1, critical: 0.5 },
        alert: 'HydraKvcacheRedisAway',
        queries: [{ expr: 'min by (instance) (hydra_kvcache_redis_up)', legend: '{{instance}}' }],
      }),
      graph({
        title: 'Waiting for Redis',
        description: 'Bytes of blocks that are not written yet.',
        unit: 'bytes',
        alert: 'HydraKvcacheRedisAway',
        queries: [{ expr: 'sum by (instance) (hydra_kvcache_redis_waiting_bytes)', legend: '{{instance}}' }],
      }),
    ],
    Workers: [
      graph({
        title: 'Blocks given to the caches',
        description: 'Each second, by what became of them.',
        unit: 'short',
        queries: [rateBy(['outcome'], 'hydra_worker_kv_pushed_blocks_total', WORKERS)],
      }),
      graph({
        title: 'Fetches',
        description: 'Times that a source was asked for blocks of a prompt, each second, by source and how it ended.',
        unit: 'short',
        queries: [rateBy(['from', 'outcome'], 'hydra_worker_kv_fetches_total', WORKERS)],
      }),
      graph({
        title: 'Time of a fetch',
        description: 'That a prompt waited for its blocks from one source.',
        unit: 's',
        queries: quantiles('hydra_worker_kv_fetch_seconds', WORKERS),
      }),
    ],
  },
};
