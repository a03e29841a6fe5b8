import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { metricsTextOf } from './support/app-metrics.js';
import { eventually } from './support/eventually.js';
import { pathWithGpus } from './support/fake-nvidia-smi.js';
import { freePort } from './support/free-port.js';
import { hydra } from './support/hydra.js';
import { exportedMetrics, metricsPage } from './support/metrics-page.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const APPS = ['gateway', 'scheduler', 'worker-0', 'kvcache'] as const;

let platform: RunningPlatform;
let key: string;
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-metrics-'));
  // All that adds metrics is on; Redis is away, which its metrics show as well.
  const env = {
    HYDRA_ENGINE: 'mock',
    HYDRA_KVCACHES: '1',
    HYDRA_KVCACHE_REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
    HYDRA_AUTH: 'required',
    HYDRA_DATABASE_URL: `sqlite:${join(folder, 'hydra.db')}`,
    HYDRA_REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
    HYDRA_LIMITS_ON_OUTAGE: 'local',
    HYDRA_TLS: 'on',
    HYDRA_CERTIFICATES: join(folder, 'certificates'),
    PATH: pathWithGpus(),
  };
  key = (await hydra(['keys', 'bootstrap'], env)).stdout.trim();
  platform = await startPlatform({ env });
});
afterAll(() => platform.stop());

it('given a platform, when the metrics of its apps are listed, then docs/metrics.md lists the same', async () => {
  const lists = await Promise.all(APPS.map((app) => exportedMetrics(platform, app, key)));
  await expect(metricsPage(lists)).toMatchFileSnapshot('../docs/metrics.md');
});

it('given every metric of ours, when named, then its unit is a base unit and its type shows', async () => {
  for (const app of APPS) {
    const { metrics } = await exportedMetrics(platform, app, key);
    for (const { name, type, help } of metrics.filter((metric) => metric.name.startsWith('hydra_'))) {
      expect(name, help).not.toMatch(/_(ms|milliseconds|microseconds|kb|mb|kilobytes|percent)(_|$)/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
    }
  }
});

it('given both formats, when an app is scraped, then they have the same series, and OpenMetrics ends as it should', async () => {
  for (const app of APPS) {
    const readText = metricsTextOf(platform, app, key);
    const readOpen = metricsTextOf(platform, app, key, 'application/openmetrics-text');
    // New series come at any time (the first collection of garbage of a kind): between two equal texts, what is read has the same.
    const { text, open } = await eventually(async () => {
      const [before, between, after] = [await readText(), await readOpen(), await readText()];
      return isDeepStrictEqual(seriesOf(before), seriesOf(after)) ? { text: after, open: between } : undefined;
    });
    expect(text).not.toContain('# EOF');
    expect(text).not.toMatch(/^# TYPE \S+(?<!_total) counter$/m);
    expect(open.endsWith('\n# EOF\n')).toBe(true);
    expect(open).not.toMatch(/^# TYPE \S+_total counter$/m); // a family's name has no suffix there
    expect(seriesOf(open)).toEqual(seriesOf(text));
  }
});

/** One for each kind of what is open at the moment, which may change between two readings. */
const COMES_AND_GOES = /^nodejs_active_/;

/** Names and labels of all samples that stay, in order. */
function seriesOf(text: string): string[] {
  const samples = [...text.matchAll(/^([\w:]+)(?:\{(.*?)\})? \S+(?: # .*)?$/gm)];
  const series = samples.map(([, name, labels = '']) => `${name} ${labels.split(',').sort().join(',')}`);
  expect(series.length).toBe(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length);
  return [...new Set(series)].filter((name) => !COMES_AND_GOES.test(name)).sort();
}
