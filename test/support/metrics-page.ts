import { metricsTextOf } from './app-metrics.js';
import type { RunningPlatform } from './platform.js';

export interface ExportedMetrics {
  readonly app: string;
  readonly metrics: readonly ExportedMetric[];
}

interface ExportedMetric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

/**
 * What an app's `/metrics` says that it exports, by name.
 * @param key  of scope `metrics`
 */
export async function exportedMetrics(platform: RunningPlatform, app: string, key: string): Promise<ExportedMetrics> {
  const text = await metricsTextOf(platform, app, key)();
  const help = new Map([...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, words]) => [name, words]));
  const metrics = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => ({
    name,
    type,
    help: help.get(name) ?? '',
  }));
  return { app: app.replace(/-\d+$/, ''), metrics: metrics.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

/** docs/metrics.md: what each app exports of its own, then what all do. */
export function metricsPage(apps: readonly ExportedMetrics[]): string {
  const isCommon = ({ name }: ExportedMetric) => /^(process|nodejs)_/.test(name);
  const sections = apps.map(({ app, metrics }) =>
    section(
      app,
      metrics.filter((metric) => !isCommon(metric)),
    ),
  );
  const common = new Map(
    apps.flatMap(({ metrics }) => metrics.filter(isCommon)).map((metric) => [metric.name, metric]),
  );
  return [
    '# Metrics',
    '',
    'What each app exports at `/metrics`, in base units (seconds, bytes, tokens); generated from running apps by `npm run generate:docs`',
    'and compared with them in tests. What the labels mean: [scheduling.md](scheduling.md#metrics), [worker.md](worker.md#metrics), [kvcache.md](kvcache.md#metrics),',
    '[limits.md](limits.md), [auth.md](auth.md), [security.md](security.md). Histograms have `_bucket`, `_sum` and `_count`. Workers put the',
    'label `worker`, their name in the scheduler, on all of theirs. Absent are `hydra_certificate_*` and `hydra_tls_*` without TLS,',
    '`hydra_gateway_shared_limits_up` and `hydra_kvcache_redis_*` without Redis, `hydra_gateway_usage_entries_waiting` without a database, and series of GPUs without GPUs.',
    'Rules and alerts over them: [operations.md](operations.md).',
    '',
    'Who asks for `application/openmetrics-text`, as Prometheus does, gets the same series as OpenMetrics 1.0, with exemplars: each bucket of a',
    'histogram names the last kept trace that fell into it (`trace_id`; [observability.md](observability.md#from-a-metric-to-a-trace)). All others',
    'get Prometheus text 0.0.4.',
    '',
    ...sections,
    section(
      'every app',
      [...common.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    ),
  ].join('\n');
}

function section(title: string, metrics: readonly ExportedMetric[]): string {
  const rows = metrics.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help.replaceAll('|', '\\|')} |`);
  const heading = title[0]?.toUpperCase() + title.slice(1);
  return [`## ${heading}`, '| name | type | what |', '|---|---|---|', ...rows, ''].join('\n');
}
