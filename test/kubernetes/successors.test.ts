import { expect, it } from 'vitest';
import { schedulerTargets } from '#lib/config';
import { configsOf, containersOf, type KubernetesObject, objectsOf, rendered, VALUES_FILES } from './support/helm.js';

/** How pods take the places of others, and what they wait for. */

interface Named {
  readonly name: string;
}

/** Names and first ports of the Services that lead to one of several each, in their order; each selects the pod of one Deployment. */
function ownServices(objects: readonly KubernetesObject[], component: string): { name: string; port: number }[] {
  const ofComponent = ({ metadata }: KubernetesObject) =>
    metadata.labels?.['app.kubernetes.io/component'] === component && 'hydraserve.io/ordinal' in metadata.labels;
  const own = objects.filter(ofComponent);
  return own
    .filter(({ kind }) => kind === 'Service')
    .map(({ metadata: { name }, spec }) => {
      const { spec: deployment } = own.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === name)!;
      expect(deployment.replicas).toBe(1);
      expect(deployment.template.metadata.labels).toMatchObject(spec.selector);
      expect(spec.clusterIP).toBeUndefined(); // an address that stays while pods change
      return { name, port: spec.ports[0].port };
    });
}
const targetOf = ({ name, port }: { name: string; port: number }) => `dns:///${name}.serving.svc:${port}`;

it('given several schedulers, when rendered, then all apps know each by the name of its Service, and each itself', () => {
  const objects = objectsOf(rendered('highly-available'));
  const targets = ownServices(objects, 'scheduler').map(targetOf);
  expect(targets).toHaveLength(3);
  for (const { scheduler } of configsOf(objects)) expect(schedulerTargets({ scheduler })).toEqual(targets);
  const own = containersOf(objects, 'scheduler').map(
    ({ env }) => env.find(({ name }: Named) => name === 'HYDRA_SCHEDULER_TARGET').value,
  );
  expect(own).toEqual(targets);
});

it('given several of a kind, when they are replaced, then one takes its place after another', () => {
  const delays = (values: string, component: string) =>
    containersOf(objectsOf(rendered(values)), component).map(
      ({ readinessProbe }) => readinessProbe.initialDelaySeconds,
    );
  expect(delays('highly-available', 'scheduler')).toEqual([undefined, 10, 20]);
  expect(delays('caches', 'kvcache')).toEqual([undefined, 10, 20]);
});

/** Who waits for whom would wait for ever: workers find schedulers by Services, which lead to pods that are ready. */
it.each(VALUES_FILES)('given %s.yaml, when pods start, then none waits for one that waits for it', (values) => {
  const objects = objectsOf(rendered(values));
  for (const { readinessProbe } of containersOf(objects, 'scheduler')) {
    expect(readinessProbe.httpGet.path).toBe('/health/startup'); // it listens; /health/ready is false without a worker
  }
  for (const { startupProbe } of containersOf(objects, 'gateway')) {
    expect(startupProbe.httpGet.path).toBe('/health/live'); // it has started when some worker has, which may take very long
  }
});

it('given models that take long to start, when gateways wait for them, then the update is not taken for failed', () => {
  const deadline = (values: string) =>
    objectsOf(rendered(values)).find(
      ({ kind, metadata }) => kind === 'Deployment' && metadata.name.endsWith('-gateway'),
    )?.spec.progressDeadlineSeconds;
  expect(deadline('minimal')).toBe(600 + 900);
  expect(deadline('gpu')).toBe(600 + 1_800);
});

it('given caches of KV blocks, when rendered, then workers and gateways know each by the name of its Service', () => {
  const objects = objectsOf(rendered('caches'));
  const targets = ownServices(objects, 'kvcache').map(targetOf);
  expect(targets).toHaveLength(3);
  const known = configsOf(objects).map(({ kvcache }) => kvcache.targets);
  expect(known.filter(({ length }) => length > 0)).toEqual([targets, targets]);
  expect(configsOf(objects).map(({ kvcache }) => kvcache.memoryBytes)).toContain(8_589_934_592);
});
