import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configFields, hydraSchema } from '#lib/config';
import { chartValues } from '../helm/chart-values.js';
import { CHART, helm, objectsOf } from './support/helm.js';
import { settingsRead } from './support/settings-read.js';

const APPS = ['gateway', 'scheduler', 'inference', 'kvcache'] as const;
type Field = ReturnType<typeof configFields>[number];
type Tree = Record<string, unknown>;

/** Where any text, or any list of texts, would not do. */
const SAMPLES: Readonly<Record<string, unknown>> = {
  'auth.jwt[].algorithms': ['ES256'],
  'auth.jwt[].scopes': ['usage'],
  'auth.clientCertificates[].name': 'DNS:client.example.com',
  'auth.clientCertificates[].scopes': ['usage'],
  'auth.jwt[].jwksUri': 'https://id.example.com/keys',
  'limits.redisUrl': 'redis://redis:6379',
  'models[].id': 'a',
  'models[].adapters[].path': '/adapters/one',
};

describe('settings of hydra.yaml in the chart', () => {
  const read = settingsRead(APPS);
  const settings = settable();
  const configs = renderedConfigs(valuesWith(settings));

  it('given the code of the apps, when looked through, then every setting is read by one of them, but for those of `hydra up`', () => {
    const all = new Set(APPS.flatMap((app) => [...(read.get(app) ?? [])]));
    const unread = configFields(hydraSchema).map(plainPath);
    expect(unread.filter((path) => !all.has(path))).toEqual(['models.workers', 'kvcache.count']);
  });

  it.each(APPS)(
    'given every setting that the chart takes, when rendered, then the %s has those that it reads, and no other',
    (app) => {
      const expected = settings.filter((field) => read.get(app)?.has(plainPath(field)));
      expect(expected.length).toBeGreaterThan(10);
      for (const field of expected)
        expect([field.path.join('.'), at(configs[app], field)]).toEqual([field.path.join('.'), sample(field)]);
      const rendered = settings.filter((field) => at(configs[app], field) !== undefined);
      expect(new Set(rendered.map(wholeOf))).toEqual(new Set(expected.map(wholeOf)));
    },
  );
});

/** What users of the chart can set of hydra.yaml. */
function settable(): Field[] {
  const ofHydra = new Set(configFields(hydraSchema).map(plainPath));
  return configFields(chartValues)
    .map((field) => (field.path[0] === 'config' ? { ...field, path: field.path.slice(1) } : field))
    .filter((field) => ofHydra.has(plainPath(field)) && field.path.join('.') !== 'auth.mode');
}

function plainPath({ path }: Field): string {
  return path.join('.').replaceAll('[]', '');
}

/** A field, or the list that it is in: what is rendered as a whole. */
function wholeOf({ path }: Field): string {
  const last = path.findLastIndex((key, i) => i > 0 && key.endsWith('[]'));
  return (last === -1 ? path : path.slice(0, last + 1)).join('.');
}

/** Another value than the default. */
function sample(field: Field): unknown {
  const { kind, choices = [], minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = field;
  const known = SAMPLES[field.path.join('.')];
  if (known !== undefined) return known;
  switch (kind) {
    case 'enum':
      return choices.find((choice) => choice !== field.default);
    case 'boolean':
      return field.default !== true;
    case 'list':
      return ['one'];
    case 'map':
      return { other: 'a' };
    case 'number':
      return [minimum + 1, minimum + 2, maximum].find((value) => value <= maximum && value !== field.default);
    case 'string':
      return 'text';
    default:
      return kind satisfies never;
  }
}

function valuesWith(fields: readonly Field[]): object {
  const values = {
    config: { auth: { mode: 'required' } },
    kvcache: { replicas: 1 },
    modelDefaults: { adapterVolume: { existingClaim: 'adapters' } },
  };
  for (const field of fields) {
    let node: Tree = field.path[0] === 'models[]' ? values : (values.config as Tree);
    field.path.forEach((key, i) => {
      const name = key.replace('[]', '');
      const isLast = i === field.path.length - 1;
      node[name] ??= isLast ? sample(field) : key.endsWith('[]') ? [{}] : {};
      node = (key.endsWith('[]') ? (node[name] as Tree[])[0] : node[name]) as Tree;
    });
  }
  return values;
}

function renderedConfigs(values: object): Record<(typeof APPS)[number], unknown> {
  const file = join(mkdtempSync(join(tmpdir(), 'hydra-values-')), 'values.yaml');
  writeFileSync(file, JSON.stringify(values));
  const maps = objectsOf(helm('template', 'prod', CHART, '--values', file)).filter(({ data }) => data?.['hydra.yaml']);
  const ofComponent = (app: string) =>
    maps.find(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === app)?.data?.['hydra.yaml'] ?? '';
  return Object.fromEntries(APPS.map((app) => [app, parse(ofComponent(app))])) as Record<
    (typeof APPS)[number],
    unknown
  >;
}

function at(config: unknown, { path }: Field): unknown {
  return path.reduce<unknown>((node, key) => {
    const child = (node as Tree | undefined)?.[key.replace('[]', '')];
    return key.endsWith('[]') ? (child as unknown[] | undefined)?.[0] : child;
  }, config);
}
