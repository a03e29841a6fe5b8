import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dashboardOf } from '../grafana/source/dashboard.js';
import { DASHBOARDS } from '../grafana/source/dashboards.js';
import { rulesOf } from './support/alert-rules.js';
import { panelsOf } from './support/dashboard-panels.js';

const CHART = '../helm/hydraserve/dashboards';
const alerts = rulesOf('alerts.yaml').map(({ alert = '' }) => alert.toLowerCase());

it('given the folders of dashboards, when listed, then each holds one file for each', () => {
  const files = DASHBOARDS.map(({ name }) => `${name}.json`).sort();
  expect(readdirSync(new URL('../grafana/dashboards', import.meta.url)).sort()).toEqual(files);
  expect(readdirSync(new URL(CHART, import.meta.url)).sort()).toEqual(files);
});

describe.each(DASHBOARDS)('the dashboard $name', (specification) => {
  const dashboard = dashboardOf(specification);

  it('given the committed files, when built again, then they are the same: for people, and in one line for the chart', async () => {
    await expect(`${JSON.stringify(dashboard, null, 2)}\n`).toMatchFileSnapshot(
      `../grafana/dashboards/${specification.name}.json`,
    );
    await expect(`${JSON.stringify(dashboard)}\n`).toMatchFileSnapshot(`${CHART}/${specification.name}.json`);
  });

  it('given its panels, when looked at, then each says what it shows, in which unit, by variables that exist', () => {
    const known = new Set([
      '__rate_interval',
      '__range',
      ...(dashboard.templating?.list ?? []).map(({ name }) => name),
    ]);
    const panels = panelsOf(dashboard);
    expect(panels.length).toBeGreaterThan(3);
    for (const { title, description, unit, queries, links } of panels) {
      expect(description, title).toMatch(/\.$/);
      expect(unit, title).toMatch(/\w/);
      expect(queries.length, title).toBeGreaterThan(0);
      for (const query of queries) {
        for (const [, variable] of query.matchAll(/\$(\w+)/g)) expect(known, `${title}: ${query}`).toContain(variable);
      }
      for (const link of links) expect(alerts, link).toContain(link.replace(/^\$\{runbook\}#/, ''));
    }
  });
});
