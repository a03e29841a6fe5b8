import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { chartValues, chartValuesSchema, liveSettings } from './chart-values.js';

const CHART = '../../helm/hydraserve';

it('given the committed values.schema.json, when generated again, then it is the same', async () => {
  await expect(chartValuesSchema()).toMatchFileSnapshot(`${CHART}/values.schema.json`);
});

it('given the committed live-settings.json, when generated again, then it is the same', async () => {
  await expect(liveSettings()).toMatchFileSnapshot(`${CHART}/live-settings.json`);
});

it('given the committed values.yaml, when checked, then it fits the schema', () => {
  const values: unknown = parse(readFileSync(new URL(`${CHART}/values.yaml`, import.meta.url), 'utf8'));
  expect(chartValues.safeParse(values).error?.issues ?? []).toEqual([]);
});

it('given keys of hydra.yaml at the wrong place or of the wrong type, when checked, then they are refused', () => {
  const wrong = [
    { config: { models: [{ id: 'a' }] } },
    { config: { gateway: { httpPort: 8080 } } },
    { config: { storage: { hubToken: 'secret' } } },
    { config: { scheduler: { queueLength: 'many' } } },
    { models: [{ id: 'a', workers: 2 }] },
    { models: [] },
    { gateways: {} },
  ];
  for (const values of wrong) expect(chartValues.safeParse(values).success, JSON.stringify(values)).toBe(false);
});
