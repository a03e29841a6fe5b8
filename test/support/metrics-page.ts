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

/** What an app's `/metrics` says that it exports, by name. */
export async function exportedMetrics(platform: RunningPlatform, app: string): Promise<ExportedMetrics> {
  const text = await metricsTextOf(platform, app)();
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
    'and compared with them in tests. What the labels mean: [scheduling.md](scheduling.md#metrics), [worker.md](worker.md#metrics),',
    '[limits.md](limits.md), [auth.md](auth.md). Histograms have `_bucket`, `_sum` and `_count`.',
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
