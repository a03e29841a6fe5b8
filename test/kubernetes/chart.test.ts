import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DASHBOARDS } from '../../grafana/source/dashboards.js';
import { type Rule, rulesOf } from '../support/alert-rules.js';
import {
  CHART,
  configsOf,
  HELM,
  helm,
  helmRefusal,
  isWorkload,
  objectsOf,
  rendered,
  VALUES_FILES,
  valuesFile,
} from './support/helm.js';
import { danglingReferences } from './support/references.js';

describe.each(VALUES_FILES)('the chart with %s.yaml', (values) => {
  const text = rendered(values);
  const objects = objectsOf(text);

  it('given helm lint, when strict, then it finds nothing', () => {
    expect(helm('lint', '--strict', CHART, '--values', valuesFile(values))).toContain('0 chart(s) failed');
  });

  it('given the committed rendering, when rendered again, then it is the same', async () => {
    await expect(text).toMatchFileSnapshot(`golden/${values}.yaml`);
  });

  it('given every hydra.yaml in it, when an app reads it, then it is taken', () => {
    for (const config of configsOf(objects)) expect(config.models.length).toBeGreaterThan(0);
  });

  it('given volumes, ports, selectors, accounts and claims, when followed, then each leads somewhere', () => {
    expect(danglingReferences(objects)).toEqual([]);
  });

  it('given its pods, when looked at, then they run as nobody, read-only, without a token of the cluster', () => {
    for (const { kind, spec } of objects.filter((object) => isWorkload(object))) {
      const pod = spec.template.spec;
      expect(pod).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources.limits.memory).toBeDefined();
      }
      if (kind === 'Deployment') expect(spec.strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    }
  });

  it('given its pods, when updated, then each has a successor before it ends, but for the Redis without a volume', () => {
    const replaced = objects.filter(({ kind }) => kind === 'StatefulSet');
    expect(replaced.map(({ metadata }) => metadata.name).filter((name) => name !== 'prod-hydraserve-redis')).toEqual(
      [],
    );
  });
});

it('given drain times, when pods get their time to end, then it holds the pause, the drain and a margin', () => {
  const grace = (values: string, component: string) =>
    objectsOf(rendered(values)).find(
      ({ kind, metadata }) => kind === 'Deployment' && metadata.labels?.['app.kubernetes.io/component'] === component,
    )?.spec.template.spec.terminationGracePeriodSeconds;
  expect(grace('highly-available', 'gateway')).toBe(5 + 123 + 10);
  expect(grace('gpu', 'inference')).toBe(300 + 10);
  expect(grace('air-gapped', 'gateway')).toBe(15 + 32 + 20);
});

describe('what restarts', () => {
  const VALUES = {
    models: [
      { id: 'big', adapterVolume: { existingClaim: 'tuned' } },
      { id: 'small', strategy: 'least-loaded' },
    ],
    config: { auth: { mode: 'required' }, kvcache: {} },
    kvcache: { replicas: 2 },
    tls: {
      enabled: true,
      existingSecrets: { gateway: 'g', scheduler: 's', inference: 'i', kvcache: 'k' },
    },
  };
  /** Components whose pods would be others. */
  const restartedBy = (change: (values: typeof VALUES & Record<string, unknown>) => void): string[] => {
    const templates = (values: object) => {
      const file = join(mkdtempSync(join(tmpdir(), 'hydra-values-')), 'values.yaml');
      writeFileSync(file, JSON.stringify(values));
      const objects = objectsOf(helm('template', 'prod', CHART, '--values', file)).filter(isWorkload);
      return new Map(objects.map(({ metadata, spec }) => [metadata.name, JSON.stringify(spec.template)]));
    };
    const changed = structuredClone(VALUES);
    change(changed);
    const before = templates(VALUES);
    const after = templates(changed);
    return [...before]
      .filter(([name, template]) => after.get(name) !== template)
      .map(([name]) => name.replace('prod-hydraserve-', ''));
  };
  const cases: [string, Parameters<typeof restartedBy>[0], string[]][] = [
    ['a strategy', ({ models }) => void Object.assign(models[1]!, { strategy: 'weighted' }), []],
    ['a first strategy', ({ models }) => void Object.assign(models[0]!, { strategy: 'weighted' }), []],
    ['an objective', ({ models }) => void Object.assign(models[1]!, { sloTtftMs: 900 }), []],
    ['a price', ({ models }) => void Object.assign(models[0]!, { price: { input: 150, output: 600 } }), ['gateway']],
    [
      'a place for traces',
      ({ config }) => void Object.assign(config, { tracing: { endpoint: 'http://collector:4318' } }),
      ['big', 'small', 'gateway', 'scheduler-0', 'kvcache-0', 'kvcache-1'],
    ],
    [
      'a list of adapters',
      ({ models }) => void Object.assign(models[0]!, { adapters: [{ id: 'sql', path: '/adapters/sql' }] }),
      [],
    ],
    ['an alias', ({ config }) => void Object.assign(config, { aliases: { gpt: 'big' } }), []],
    ['a limit of the gateway', ({ config }) => void Object.assign(config, { gateway: { concurrentRequests: 9 } }), []],
    ['a level of the log', ({ config }) => void Object.assign(config, { log: { level: 'debug' } }), []],
    ['a number of replicas', (values) => void Object.assign(values, { modelDefaults: { replicas: 3 } }), []],
    ['weights', ({ models }) => void Object.assign(models[0]!, { weights: 'int4' }), ['big']],
    ['authentication', ({ config }) => void Object.assign(config.auth, { freeFailures: 3 }), ['gateway']],
    [
      'a form of the log',
      ({ config }) => void Object.assign(config, { log: { format: 'pretty' } }),
      ['big', 'small', 'gateway', 'scheduler-0', 'kvcache-0', 'kvcache-1'],
    ],
    ['a number of caches', ({ kvcache }) => void Object.assign(kvcache, { replicas: 3 }), ['big', 'small', 'gateway']],
    [
      'memory of caches',
      ({ config }) => void Object.assign(config.kvcache, { memoryBytes: 2 ** 29 }),
      ['kvcache-0', 'kvcache-1'],
    ],
    [
      'the Secret of a certificate',
      ({ tls }) => void Object.assign(tls.existingSecrets, { inference: 'renewed' }),
      ['big', 'small'],
    ],
    ['a model more', ({ models }) => void models.push({ id: 'new', strategy: 'weighted' }), ['gateway', 'scheduler-0']],
  ];

  it.each(cases)(
    'given %s that changes, when rendered, then only what must restart has other pods',
    (_, change, expected) => {
      expect(restartedBy(change).sort()).toEqual([...expected].sort());
    },
  );
});

it('given dashboards and rules, when rendered, then they are the committed ones and link to the runbook that was named', () => {
  const objects = objectsOf(rendered('gateway-api'));
  const runbook = 'https://runbooks.example.com/hydraserve';
  const boards = objects.filter(({ metadata }) => metadata.labels?.['grafana_dashboard'] === '1');
  for (const { name } of DASHBOARDS) {
    const text = boards.map(({ data }) => data?.[`${name}.json`]).find((one) => one !== undefined) ?? '';
    const committed = readFileSync(join(CHART, 'dashboards', `${name}.json`), 'utf8');
    expect(JSON.parse(text)).toEqual(JSON.parse(committed.replaceAll('docs/operations.md', runbook)));
  }
  const rules = objects
    .find(({ kind }) => kind === 'PrometheusRule')
    ?.spec.groups.flatMap((group: { rules: object[] }) => group.rules);
  const linked = (rule: Rule) => JSON.parse(JSON.stringify(rule).replace('docs/operations.md', runbook));
  expect(rules).toEqual([...rulesOf('recording.yaml'), ...rulesOf('alerts.yaml')].map(linked));
});

it('given adapters in a claim, when rendered, then workers of the model read it where its adapters are said to be', () => {
  const [worker, another] = objectsOf(rendered('several-models'))
    .filter(({ kind, metadata }) => kind === 'Deployment' && metadata.name.includes('model-one'))
    .sort((a, b) => b.spec.replicas - a.spec.replicas);
  const { containers, volumes } = worker?.spec.template.spec ?? {};
  expect(containers[0].volumeMounts).toContainEqual({ name: 'adapters', mountPath: '/tuned', readOnly: true });
  const persistentVolumeClaim = { claimName: 'tuned-models', readOnly: true };
  expect(volumes).toContainEqual({ name: 'adapters', persistentVolumeClaim });
  expect(JSON.stringify(another?.spec.template.spec)).not.toContain('tuned');
});

it('given a release, when its chart is packed and installed, then it takes the images of that release', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-chart-'));
  const env = { ...process.env, HYDRA_TEST_HELM: HELM };
  execFileSync(join(CHART, '../../scripts/package-chart.sh'), ['ghcr.io/some-org/hydraserve', folder], { env });
  const packed = join(folder, readdirSync(folder)[0] ?? '');
  const objects = objectsOf(helm('template', 'prod', packed, '--set', 'kvcache.replicas=1')).filter(isWorkload);
  const images = objects.map(({ spec }) => spec.template.spec.containers[0].image.replace(/:[^:]*$/, ''));
  const expected = ['gateway', 'inference', 'kvcache', 'scheduler'].map((app) => `ghcr.io/some-org/hydraserve/${app}`);
  expect(images.sort()).toEqual(expected);
});

describe('what the chart refuses', () => {
  const cases = [
    ['an unknown key', 'gateways: {}', /gateways/],
    ['a model key that does not exist', 'models: [{ id: a, wieghts: int4 }]', /wieghts/],
    ['a port that the chart decides', 'config: { gateway: { httpPort: 1 } }', /httpPort/],
    ['a secret in the configuration', 'config: { storage: { hubToken: abc } }', /hubToken/],
    ['no authentication', 'config: { auth: { mode: "off" } }', /must be `required`/],
    ['several gateways on one SQLite file', 'gateway: { replicas: 2 }', /one PostgreSQL/],
    [
      'TLS without certificates',
      'tls: { enabled: true, existingSecrets: { gateway: a } }',
      /tls.existingSecrets.scheduler/,
    ],
    ['two Redis', 'redis: { existingSecret: a, simple: { enabled: true } }', /not both/],
    ['a model with the name of a component', 'models: [{ id: scheduler-0 }]', /objects of the component "scheduler-0"/],
    ['two models of one name', 'models: [{ id: a, name: x }, { id: b, name: x }]', /same name/],
    ['all pods scraped twice', 'monitoring: { podMonitors: true, serviceMonitors: true }', /choose one/],
    ['a model called default', 'models: [{ id: default }]', /alias of the first/],
    ['no models', 'models: null', /models: name at least one/],
    [
      'fewer gateways at most than at least',
      'gateway: { autoscaling: { enabled: true, minReplicas: 9 , maxReplicas: 3 } }\ndatabase: { existingSecret: a }',
      /gateway.autoscaling: minReplicas \(9\) is more than maxReplicas \(3\)/,
    ],
    [
      'fewer workers at most than at least',
      'models: [{ id: a, autoscaling: { enabled: true, minReplicas: 5 } }]',
      /models\[a\].autoscaling: minReplicas \(5\) is more than maxReplicas \(4\)/,
    ],
    [
      'an adapter that lies in no volume',
      'models: [{ id: a, adapters: [{ id: sql, path: /adapters/sql }] }]',
      /models\[a\].adapters\[sql\]: no volume .* at "\/adapters\/sql"; name its claim in adapterVolume.existingClaim/,
    ],
    [
      'an adapter beside the volume',
      'models: [{ id: a, adapterVolume: { existingClaim: t }, adapters: [{ id: sql, path: /adapters-2/sql }] }]',
      /no volume/,
    ],
    ['an Ingress without hosts', 'ingress: { enabled: true }', /ingress.hosts: name at least one/],
    ['a route of no Gateway', 'httpRoute: { enabled: true }', /httpRoute.parentRefs: name the Gateway/],
    [
      'a password of Redis in the configuration',
      'config: { limits: { redisUrl: "redis://:geheim@redis:6379" } }',
      /config.limits.redisUrl.* name that in redis.existingSecret/,
    ],
    [
      'a password of a collector in the configuration',
      'config: { tracing: { endpoint: "https://me:geheim@collector:4318" } }',
      /config.tracing: a URL with a user or password/,
    ],
  ] as const;

  it.each(cases)('given %s, when rendered, then it says so', (_, yaml, sentence) => {
    const file = join(mkdtempSync(join(tmpdir(), 'hydra-values-')), 'values.yaml');
    writeFileSync(file, yaml);
    expect(helmRefusal('template', 'prod', CHART, '--values', file)).toMatch(sentence);
  });
});
