import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportedMetrics, metricsPage } from './support/metrics-page.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const APPS = ['gateway', 'scheduler', 'worker-0'] as const;

let platform: RunningPlatform;
beforeAll(async () => {
  const database = join(mkdtempSync(join(tmpdir(), 'hydra-database-')), 'hydra.db');
  platform = await startPlatform({ env: { HYDRA_ENGINE: 'mock', HYDRA_DATABASE_URL: `sqlite:${database}` } });
});
afterAll(() => platform.stop());

it('given a platform, when the metrics of its apps are listed, then docs/metrics.md lists the same', async () => {
  const lists = await Promise.all(APPS.map((app) => exportedMetrics(platform, app)));
  await expect(metricsPage(lists)).toMatchFileSnapshot('../docs/metrics.md');
});

it('given every metric of ours, when named, then its unit is a base unit and its type shows', async () => {
  for (const app of APPS) {
    const { metrics } = await exportedMetrics(platform, app);
    for (const { name, type, help } of metrics.filter((metric) => metric.name.startsWith('hydra_'))) {
      expect(name, help).not.toMatch(/_(ms|milliseconds|microseconds|kb|mb|kilobytes|percent)(_|$)/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
    }
  }
});
