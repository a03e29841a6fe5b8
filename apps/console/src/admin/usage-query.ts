import type { UsageSum } from '../api/resources.js';

/** What usage is summed by. */
export const GROUPINGS = {
  model: { title: 'model', by: ['model'] },
  day: { title: 'day', by: ['day'] },
  'day-model': { title: 'day and model', by: ['day', 'model'] },
  'tenant-model': { title: 'tenant and model', by: ['tenant', 'model'] },
  key: { title: 'key', by: ['tenant', 'key'] },
} as const;

export type Grouping = keyof typeof GROUPINGS;
export type Dimension = (typeof GROUPINGS)[Grouping]['by'][number];

/** Days looked back, today included. */
export const RANGES_DAYS = [1, 7, 30, 90] as const;

const MS_PER_DAY = 86_400_000;
/** Most rows that are asked for. */
const MAX_ROWS = 1_000;

/** @param tenant  empty: of all that may be seen */
export function usageAddress(tenant: string, grouping: Grouping, days: number, nowMs: number): string {
  const from = new Date(nowMs - (days - 1) * MS_PER_DAY).toISOString().slice(0, 10);
  const query = new URLSearchParams({ from, by: GROUPINGS[grouping].by.join(','), limit: String(MAX_ROWS) });
  if (tenant !== '') query.set('tenant', tenant);
  return `/v1/usage?${query}`;
}

/** All rows together. */
export function totalOf(rows: readonly UsageSum[]): UsageSum {
  const sum = (read: (row: UsageSum) => number) => rows.reduce((total, row) => total + read(row), 0);
  return {
    requests: sum((row) => row.requests),
    prompt_tokens: sum((row) => row.prompt_tokens),
    cached_tokens: sum((row) => row.cached_tokens),
    completion_tokens: sum((row) => row.completion_tokens),
    cost_micros: sum((row) => row.cost_micros),
  };
}
