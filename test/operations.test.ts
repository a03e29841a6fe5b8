import { readFileSync } from 'node:fs';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { expect, it } from 'vitest';
import { DASHBOARDS } from '../grafana/source/dashboards.js';
import { rulesOf } from './support/alert-rules.js';
import { panelsOf } from './support/dashboard-panels.js';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const alerts = rulesOf('alerts.yaml');
const namesOf = (matches: Iterable<RegExpMatchArray>) =>
  [...new Set([...matches].map(([, name]) => name ?? ''))].sort();
const names = alerts.map(({ alert = '' }) => alert).sort();

it('given every alert, when looked up in the runbook, then it has its page, and every page has its alert', () => {
  const runbook = read('docs/operations.md');
  const [, pages = ''] = runbook.split('\n## Alerts\n');
  expect(namesOf(pages.matchAll(/^### (\w+)$/gm))).toEqual(names);
  for (const page of pages.split(/^### /m).slice(1)) {
    expect(page).toContain('**Means.**');
    expect(page).toMatch(/\*\*Look at/);
    expect(page).toMatch(/\*\*Do|, do\*\*/);
  }
});

it('given every alert, when its unit tests are looked up, then it fires in one and is quiet in another', () => {
  const tests = read('test/integration/rules/alerts.test.yaml');
  expect(namesOf(tests.matchAll(/- name: "(\w+) fires /g))).toEqual(names);
  expect(namesOf(tests.matchAll(/- name: "(\w+) is quiet /g))).toEqual(names);
});

it('given the panels that link to a page of the runbook, when it is read, then it names them', () => {
  const pages = new Map(
    [...read('docs/operations.md').matchAll(/^### (\w+)\n([^#]*)/gm)].map(([, name = '', text = '']) => [
      name.toLowerCase(),
      text,
    ]),
  );
  for (const { name } of DASHBOARDS) {
    const board = JSON.parse(read(`grafana/dashboards/${name}.json`)) as Dashboard;
    for (const { title, links } of panelsOf(board)) {
      for (const link of links) {
        const named = /^\*\*Panels\.\*\* (.*)$/m.exec(pages.get(link.split('#')[1] ?? '') ?? '')?.[1];
        expect(named, link).toContain(title);
        expect(named, link).toContain(`*${board.title?.replace('HydraServe / ', '')}*`);
      }
    }
  }
});

it('given every alert, when it fires, then it says how bad it is, what is wrong and where to read on', () => {
  for (const { alert = '', labels, annotations } of alerts) {
    expect(labels, alert).toEqual({ severity: expect.stringMatching(/^(critical|warning)$/), service: 'hydraserve' });
    expect(annotations?.['runbook_url']).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    expect(annotations?.['summary'], alert).toMatch(/\w/);
    expect(annotations?.['description'], alert).toMatch(/\w/);
  }
});

it('given the tests of alerts, when listed, then each alert fires in one and is quiet in another', () => {
  const tests = ['alerts', 'alerts-of-days'].map((file) => read(`test/integration/rules/${file}.test.yaml`)).join('\n');
  expect(namesOf(tests.matchAll(/- name: "(\w+) fires/g))).toEqual(names);
  expect(namesOf(tests.matchAll(/- name: "(\w+) is quiet/g))).toEqual(names);
});

it('given the codes that count as faults of ours, when compared with the table of errors, then they are those with 5xx', () => {
  const faults = namesOf(read('docs/errors.md').matchAll(/^\| `(\w+)` \| 5\d\d \|/gm));
  const counted = rulesOf('recording.yaml').flatMap(({ expr }) => [...expr.matchAll(/code=~"([^"]+)"/g)]);
  expect(counted.length).toBeGreaterThan(0);
  for (const [, codes = ''] of counted) expect(codes.split('|').sort()).toEqual(faults);
});

it('given the metrics that rules read, when looked up, then apps export them', () => {
  const exported = new Set(namesOf(read('docs/metrics.md').matchAll(/^\| `([\w:]+)` /gm)));
  const recorded = new Set(rulesOf('recording.yaml').map(({ record }) => record));
  for (const { expr } of [...rulesOf('recording.yaml'), ...alerts]) {
    for (const [name] of expr.matchAll(/\b(?:(?:model:)?hydra[_:][\w:]+|nodejs_\w+)/g)) {
      const isKnown = recorded.has(name) || exported.has(name.replace(/_(bucket|count|sum)$/, ''));
      expect(isKnown, name).toBe(true);
    }
  }
});
