import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { DASHBOARDS } from '../../grafana/source/dashboards.js';
import { createAuthority } from './support/certificates.js';
import { ControlPlane } from './support/control-plane.js';
import { CHART, helm, objectsOf, rendered, VALUES_FILES } from './support/helm.js';
import { ReadyPods } from './support/ready-pods.js';

/** Files with the definitions of HTTPRoute, PodMonitor and Certificate, found by scripts/test-kubernetes.sh. */
const DEFINITIONS = (process.env['HYDRA_TEST_CRDS'] ?? '').split(':').filter((path) => path !== '');
const DEPLOY_LOCAL = fileURLToPath(new URL('../../scripts/deploy-local.sh', import.meta.url));
const NAMESPACE = 'serving';
/** Pods of kwok become ready after this long, so that an update takes a while. */
const READY_AFTER_A_WHILE = {
  'pod-ready.stage.kwok.x-k8s.io/delay': '2s',
  'pod-ready.stage.kwok.x-k8s.io/jitter-delay': '2s',
};

interface ModelValues extends Record<string, unknown> {
  readonly id: string;
  weights?: string;
  strategy?: string;
  replicas?: number;
}

interface Values {
  readonly models: readonly [ModelValues, ModelValues];
  readonly config: Record<string, unknown>;
  readonly scheduler: { readonly replicas: number; readonly podAnnotations: object };
  readonly kvcache: { replicas: number; readonly podAnnotations: object };
  readonly monitoring: object;
  readonly tls: {
    readonly enabled: true;
    readonly existingSecrets: Record<'gateway' | 'scheduler' | 'inference' | 'kvcache', string>;
  };
}

const VALUES: Values = {
  models: [
    {
      id: 'big',
      device: 'cuda',
      replicas: 4,
      weights: 'int8',
      resources: { limits: { memory: '4Gi', 'nvidia.com/gpu': 2 }, requests: { cpu: '1', memory: '4Gi' } },
      tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists' }],
      podAnnotations: READY_AFTER_A_WHILE,
    },
    { id: 'small', strategy: 'least-loaded' },
  ],
  config: { auth: { mode: 'required' } },
  scheduler: { replicas: 2, podAnnotations: READY_AFTER_A_WHILE },
  kvcache: { replicas: 2, podAnnotations: READY_AFTER_A_WHILE },
  monitoring: { podMonitors: true, rules: true, dashboards: { enabled: true } },
  tls: {
    enabled: true,
    existingSecrets: { gateway: 'door', scheduler: 'desk', inference: 'engine', kvcache: 'shelf' },
  },
};

interface Pod {
  readonly metadata: { readonly uid: string; readonly deletionTimestamp?: string };
}

describe('a release of the chart on a real control plane', { timeout: 600_000 }, () => {
  const plane = new ControlPlane();

  beforeAll(async () => {
    await plane.start();
    for (const file of DEFINITIONS) plane.kubectl('apply', '--server-side', '--filename', file);
    plane.kubectl('create', 'namespace', NAMESPACE);
    plane.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s');
  }, 600_000);
  afterAll(() => plane.stop());

  const release = (command: string, values: object, ...args: string[]) => {
    const file = join(mkdtempSync(join(tmpdir(), 'hydra-values-')), 'values.yaml');
    writeFileSync(file, stringify(values));
    const where = ['--namespace', NAMESPACE, '--kubeconfig', plane.kubeconfig, '--timeout', '5m'];
    return helm(command, 'llm', CHART, '--values', file, '--wait', ...where, ...args);
  };
  /** Without those that are being ended: helm does not wait for their end. */
  const podsOf = (selector: string) =>
    plane
      .get<{ items: Pod[] }>('pods', '--namespace', NAMESPACE, '--selector', selector)
      .items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata }) => metadata.uid)
      .sort();
  const COMPONENTS = {
    gateway: 'app.kubernetes.io/component=gateway',
    scheduler: 'app.kubernetes.io/component=scheduler',
    big: 'hydraserve.io/model=big',
    small: 'hydraserve.io/model=small',
    caches: 'app.kubernetes.io/component=kvcache',
  };
  const pods = () => Object.fromEntries(Object.entries(COMPONENTS).map(([name, of]) => [name, podsOf(of)]));
  /** Components of which some pod is another one than before. */
  const replacedBy = (act: () => unknown): string[] => {
    const before = pods();
    act();
    const after = pods();
    return Object.keys(COMPONENTS).filter((name) => before[name]?.some((uid) => !after[name]?.includes(uid)));
  };

  it.each(VALUES_FILES)(
    'given %s.yaml, when its objects are offered to the API server, then it takes them all',
    (values) => {
      const objects = objectsOf(rendered(values));
      const answer = plane.apply(objects, '--dry-run=server', '--namespace', NAMESPACE);
      expect(answer.trim().split('\n')).toHaveLength(objects.length);
    },
  );

  /** As `hydra certs` makes them, into the Secret of that name. */
  const putCertificate = (name: string) => {
    const { authority, server } = createAuthority(mkdtempSync(join(tmpdir(), 'hydra-certificate-')));
    const files = { 'ca.crt': authority, 'tls.crt': server.certificate, 'tls.key': server.key };
    const data = Object.fromEntries(
      Object.entries(files).map(([file, path]) => [file, readFileSync(path).toString('base64')]),
    );
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: NAMESPACE },
      type: 'kubernetes.io/tls',
      data,
    };
    plane.apply([secret]);
  };

  it('given an empty cluster, when installed, then all pods become ready on nodes that suit them', () => {
    for (const name of [...Object.values(VALUES.tls.existingSecrets), 'desk-2']) putCertificate(name);
    release('install', VALUES);
    expect(Object.entries(pods()).map(([name, of]) => [name, of.length])).toEqual([
      ['gateway', 1],
      ['scheduler', 2],
      ['big', 4],
      ['small', 1],
      ['caches', 2],
    ]);
    const nodes = plane.get<{ items: { spec: { nodeName: string } }[] }>(
      ...['pods', '--namespace', NAMESPACE, '--selector', COMPONENTS.big],
    );
    expect(nodes.items.every(({ spec }) => spec.nodeName.startsWith('gpu-'))).toBe(true);
  });

  it('given monitoring, when installed, then monitors of every app, the rules and all dashboards are there', () => {
    const countOf = (kind: string, selector = 'app.kubernetes.io/instance=llm') =>
      plane.get<{ items: unknown[] }>(kind, '--namespace', NAMESPACE, '--selector', selector).items.length;
    expect(countOf('podmonitors')).toBe(4);
    expect(countOf('prometheusrules')).toBe(1);
    expect(countOf('configmaps', 'grafana_dashboard=1')).toBe(DASHBOARDS.length);
  });

  it.each<[string, (values: Values) => void, string[]]>([
    ["a model's weights", ({ models }) => void Object.assign(models[1], { weights: 'fp32' }), ['small']],
    ["a model's strategy", ({ models }) => void Object.assign(models[1], { strategy: 'round-robin' }), []],
    ['the number of workers', ({ models }) => void Object.assign(models[1], { replicas: 2 }), []],
    ['an alias', ({ config }) => void Object.assign(config, { aliases: { gpt: 'big' } }), []],
    [
      'authentication',
      ({ config }) => void Object.assign(config, { auth: { mode: 'required', freeFailures: 3 } }),
      ['gateway'],
    ],
    [
      'time to drain',
      ({ config }) => void Object.assign(config, { workers: { drainTimeoutMs: 9_000 } }),
      ['big', 'small'],
    ],
    [
      'the number of caches',
      ({ kvcache }) => void Object.assign(kvcache, { replicas: 3 }),
      ['gateway', 'big', 'small'],
    ],
    [
      'the memory of caches',
      ({ config }) => void Object.assign(config, { kvcache: { memoryBytes: 2 ** 29 } }),
      ['caches'],
    ],
    [
      'the Secret of a certificate',
      ({ tls }) => void Object.assign(tls.existingSecrets, { scheduler: 'desk-2' }),
      ['scheduler'],
    ],
  ])('given a change of %s, when upgraded, then only what must restart does', (_, change, expected) => {
    change(VALUES);
    expect(replacedBy(() => release('upgrade', VALUES))).toEqual(expected);
  });

  it('given a certificate that is renewed in its Secret, when upgraded, then nothing restarts: apps follow the files', () => {
    putCertificate('shelf');
    expect(replacedBy(() => release('upgrade', VALUES))).toEqual([]);
  });

  it('given every app, when all are replaced, then as many as are wanted are ready at every moment', async () => {
    const wanted = { gateway: 1, scheduler: 2, inference: 4 + 2, kvcache: 3 };
    const ready = new ReadyPods(plane, NAMESPACE, wanted);
    VALUES.models[0].weights = 'int4';
    Object.assign(VALUES.config, { log: { format: 'pretty' } });
    expect(replacedBy(() => release('upgrade', VALUES))).toEqual(Object.keys(COMPONENTS));
    const { counts, events } = await ready.end();
    expect(events).toBeGreaterThan(4 * (1 + 2 + 6 + 3)); // each of old and new comes, is ready, is ended
    const fewest = Object.fromEntries(Object.entries(counts).map(([component, count]) => [component, count.fewest]));
    expect(fewest).toEqual(wanted);
    // One more of each Deployment.
    const most = Object.fromEntries(Object.entries(counts).map(([component, count]) => [component, count.most]));
    expect(most['gateway']).toBeLessThanOrEqual(2);
    expect(most['scheduler']).toBeLessThanOrEqual(4);
    expect(most['inference']).toBeLessThanOrEqual(8);
    expect(most['kvcache']).toBeLessThanOrEqual(6);
  });

  it('given an upgrade, when rolled back, then the former configuration is there again', () => {
    const weights = () =>
      plane.kubectl('get', 'configmap', 'llm-hydraserve-big', '--namespace', NAMESPACE, '--output', 'jsonpath={.data}');
    expect(weights()).toContain('weights: int4');
    const where = ['--namespace', NAMESPACE, '--kubeconfig', plane.kubeconfig];
    expect(replacedBy(() => helm('rollback', 'llm', '--wait', '--timeout', '5m', ...where))).toEqual(
      Object.keys(COMPONENTS),
    );
    expect(weights()).toContain('weights: int8');
  });

  it('given the script of make deploy-local and a registry that has the images, when run twice, then the release is there, and then upgraded', () => {
    const deploy = () =>
      execFileSync(
        'bash',
        [DEPLOY_LOCAL, '--set', 'models[0].id=tiny', '--set', 'database.existingSecret=hydra-database'],
        {
          encoding: 'utf8',
          env: {
            PATH: `${plane.tools()}:${process.env['PATH']}`,
            KUBECONFIG: plane.kubeconfig,
            HYDRA_IMAGE_REGISTRY: 'registry.example',
            HYDRA_IMAGE_TAG: '1',
            HYDRA_NAMESPACE: 'local',
            HYDRA_RELEASE: 'mine',
            HOME: plane.folder,
          },
        },
      );
    expect(deploy()).toContain('STATUS: deployed');
    expect(deploy()).toContain('REVISION: 2');
    const images = plane.kubectl(
      'get',
      'pods',
      '--namespace',
      'local',
      '--output',
      'jsonpath={.items[*].spec.containers[*].image}',
    );
    expect(images.split(' ').sort()).toEqual(
      ['gateway', 'inference', 'scheduler'].map((app) => `registry.example/hydraserve/${app}:1`),
    );
  });

  it('given the release, when uninstalled, then only the volume with tenants and keys stays', async () => {
    helm('uninstall', 'llm', '--wait', '--timeout', '5m', '--namespace', NAMESPACE, '--kubeconfig', plane.kubeconfig);
    const kinds =
      'deployments,statefulsets,services,configmaps,serviceaccounts,persistentvolumeclaims,networkpolicies,poddisruptionbudgets,horizontalpodautoscalers,podmonitors,prometheusrules';
    const left = plane.get<{ items: { kind: string; metadata: { name: string } }[] }>(
      ...[kinds, '--namespace', NAMESPACE, '--selector', 'app.kubernetes.io/instance=llm'],
    );
    expect(left.items.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'PersistentVolumeClaim llm-hydraserve-gateway',
    ]);
  });
});
