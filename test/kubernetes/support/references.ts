import type { KubernetesObject, Labels } from './helm.js';

/**
 * Names in some objects that lead nowhere among them: volumes, ConfigMaps, claims, service accounts, ports, selectors, targets of
 * scaling. Secrets, and claims whose names do not begin as the release `prod`, are the operator's and are not looked for.
 * @returns a sentence each
 */
export function danglingReferences(objects: readonly KubernetesObject[]): string[] {
  const problems: string[] = [];
  const has = (kind: string, name: string) => objects.some((o) => o.kind === kind && o.metadata.name === name);
  const pods: KubernetesObject['spec'][] = objects
    .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
    .map(({ spec }) => spec.template);
  const selected = (selector: Labels) => pods.filter(({ metadata }) => isSelected(metadata.labels, selector));

  for (const { kind, metadata, spec } of objects) {
    const at = `${kind} ${metadata.name}`;
    const need = (isThere: boolean, what: string) => void (isThere || problems.push(`${at}: ${what}`));
    switch (kind) {
      case 'StatefulSet':
      case 'Deployment': {
        if (kind === 'StatefulSet') need(has('Service', spec.serviceName), `service ${spec.serviceName}`);
        const { metadata: podMetadata, spec: pod } = spec.template;
        need(isSelected(podMetadata.labels, spec.selector.matchLabels), 'does not select its own pods');
        need(has('ServiceAccount', pod.serviceAccountName), `service account ${pod.serviceAccountName}`);
        const volumes = new Map<string, KubernetesObject['spec']>(
          pod.volumes.map((v: { name: string }) => [v.name, v]),
        );
        for (const volume of volumes.values()) {
          if (volume.configMap) need(has('ConfigMap', volume.configMap.name), `ConfigMap ${volume.configMap.name}`);
          const claim = volume.persistentVolumeClaim?.claimName;
          if (claim?.startsWith('prod-')) need(has('PersistentVolumeClaim', claim), `claim ${claim}`);
        }
        for (const container of pod.containers) {
          const mounted = container.volumeMounts.map((mount: { name: string }) => mount.name);
          for (const name of mounted) need(volumes.has(name), `mounts ${name}`);
          for (const name of volumes.keys()) need(mounted.includes(name), `volume ${name} is not mounted`);
          for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
            const { httpGet, tcpSocket } = container[probe] ?? {};
            if (container[probe]) need(portsOf(container).has((httpGet ?? tcpSocket).port), `port of ${probe}`);
          }
        }
        break;
      }
      case 'Service':
        need(selected(spec.selector).length > 0, 'selects no pod');
        for (const { targetPort } of spec.ports) {
          const isThere = selected(spec.selector).every((pod) => portsOf(pod.spec.containers[0]).has(targetPort));
          need(isThere, `target port ${targetPort}`);
        }
        break;
      case 'PodDisruptionBudget':
        need(selected(spec.selector.matchLabels).length > 0, 'selects no pod');
        need(componentsOf(selected(spec.selector.matchLabels)).size === 1, 'does not select the pods of one component');
        break;
      case 'NetworkPolicy':
        need(selected(spec.podSelector.matchLabels).length > 0, 'selects no pod');
        for (const { from = [] } of spec.ingress) {
          for (const { podSelector } of from) {
            if (podSelector) need(selected(podSelector.matchLabels).length > 0, 'lets in pods that do not exist');
          }
        }
        break;
      case 'PodMonitor':
        need(selected(spec.selector.matchLabels).length > 0, 'selects no pod');
        break;
      case 'ServiceMonitor': {
        const services = objects.filter(
          (o) => o.kind === 'Service' && isSelected(o.metadata.labels ?? {}, spec.selector.matchLabels),
        );
        need(services.length > 0, 'selects no Service');
        need(isEachScrapedOnce(services, pods), 'does not scrape each pod once');
        for (const { port } of spec.endpoints) {
          const hasPort = (service: KubernetesObject) =>
            service.spec.ports.some(({ name }: { name: string }) => name === port);
          need(services.every(hasPort), `port ${port}`);
        }
        break;
      }
      case 'HorizontalPodAutoscaler':
        need(has(spec.scaleTargetRef.kind, spec.scaleTargetRef.name), `target ${spec.scaleTargetRef.name}`);
        break;
      case 'Ingress':
        for (const { http } of spec.rules) {
          for (const { backend } of http.paths) need(has('Service', backend.service.name), 'backend');
        }
        break;
      case 'HTTPRoute':
        for (const { backendRefs } of spec.rules) {
          for (const { name } of backendRefs) need(has('Service', name), 'backend');
        }
        break;
    }
  }
  return problems;
}

interface Pod {
  readonly metadata: { readonly labels: Labels };
}

function componentsOf(pods: readonly Pod[]): Set<string | undefined> {
  return new Set(pods.map(({ metadata }) => metadata.labels['app.kubernetes.io/component']));
}

/** Of the pods that any of the services selects. */
function isEachScrapedOnce(services: readonly KubernetesObject[], pods: readonly Pod[]): boolean {
  return pods.every(
    ({ metadata }) => services.filter(({ spec }) => isSelected(metadata.labels, spec.selector)).length <= 1,
  );
}

function isSelected(labels: Labels, selector: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

function portsOf(container: { readonly ports: readonly { readonly name: string }[] }): Set<string> {
  return new Set(container.ports.map(({ name }) => name));
}
