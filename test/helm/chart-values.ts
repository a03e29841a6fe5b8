import { z } from 'zod';
import { configFields, hydraSchema } from '#lib/config';

/**
 * What `values.yaml` of the Helm chart may hold. `config` and the models take the keys of `hydra.yaml` from its own schema, so that
 * the chart cannot fall behind; `helm/hydraserve/values.schema.json` is generated from here.
 */

const count = z.int().min(0);
const quantity = z.union([z.string().regex(/^[0-9.]+([munkKMGTPE]i?|)$/), z.number().min(0)]);
const freeMap = z.record(z.string(), z.unknown());
const freeList = z.array(freeMap);
const resources = z.strictObject({
  requests: z.record(z.string(), quantity).optional(),
  limits: z.record(z.string(), quantity).optional(),
  claims: freeList.optional(),
});
const goDuration = z.string().regex(/^([0-9]+(h|m|s))+$/);
const dnsLabel = z.string().regex(/^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$/);

const placement = {
  nodeSelector: z.record(z.string(), z.string()),
  tolerations: freeList,
  affinity: freeMap,
  topologySpreadConstraints: freeList,
  priorityClassName: z.string(),
  podAnnotations: z.record(z.string(), z.string()),
};

const modelChartKeys = z
  .strictObject({
    name: dnsLabel.max(30),
    replicas: count,
    autoscaling: z
      .strictObject({ enabled: z.boolean(), minReplicas: count, maxReplicas: z.int().min(1), metrics: freeList })
      .partial(),
    device: z.enum(['cpu', 'cuda']),
    resources,
    startupSeconds: z.int().min(30),
    cache: z
      .strictObject({
        persistent: z.boolean(),
        size: quantity,
        accessMode: z.enum(['ReadWriteOnce', 'ReadWriteMany', 'ReadWriteOncePod']),
        storageClassName: z.string(),
        existingClaim: z.string(),
      })
      .partial(),
    adapterVolume: z.strictObject({ existingClaim: z.string(), mountPath: z.string().regex(/^\/[^:]+$/) }).partial(),
    runtimeClassName: z.string(),
    ...placement,
  })
  .partial();

const modelKeys = hydraSchema.shape.models.unwrap().element.omit({ workers: true });

const sections = hydraSchema.shape;
/** Without what each model has, what the chart decides (addresses, ports, names, files of certificates) and what belongs into a Secret. */
const config = hydraSchema.omit({ models: true, tls: true }).extend({
  certificates: sections.certificates.unwrap().pick({ reloadIntervalMs: true }).optional(),
  gateway: sections.gateway.unwrap().omit({ host: true, httpPort: true, grpcPort: true, tls: true }).optional(),
  scheduler: sections.scheduler
    .unwrap()
    .omit({ host: true, httpPort: true, grpcPort: true, target: true, targets: true })
    .optional(),
  workers: sections.workers
    .unwrap()
    .omit({
      count: true,
      id: true,
      model: true,
      host: true,
      advertisedHost: true,
      grpcPort: true,
      httpPort: true,
      device: true,
    })
    .optional(),
  kvcache: sections.kvcache
    .unwrap()
    .omit({
      ...{ count: true, name: true, host: true, grpcPort: true, httpPort: true },
      ...{ target: true, targets: true, redisUrl: true },
    })
    .optional(),
  database: sections.database.unwrap().omit({ url: true }).optional(),
  storage: sections.storage.unwrap().omit({ folder: true, hubToken: true }).optional(),
});
const secretRef = z.strictObject({ existingSecret: z.string(), secretKey: z.string().min(1) }).partial();

export const chartValues = z
  .strictObject({
    fullnameOverride: dnsLabel,
    image: z
      .strictObject({
        registry: z.string(),
        repository: z.string().min(1),
        tag: z.string(),
        digests: z.record(z.string(), z.string().regex(/^sha256:[0-9a-f]{64}$/)),
        pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
        pullSecrets: z.array(z.string()),
      })
      .partial(),
    models: z.array(z.strictObject({ ...modelKeys.shape, ...modelChartKeys.shape })).min(1),
    modelDefaults: modelChartKeys,
    gateway: z
      .strictObject({
        replicas: count,
        autoscaling: z
          .strictObject({
            enabled: z.boolean(),
            minReplicas: z.int().min(1),
            maxReplicas: z.int().min(1),
            cpuPercent: z.int().min(1).max(100),
          })
          .partial(),
        resources,
        tls: z.strictObject({ existingSecret: z.string() }),
        service: z
          .strictObject({
            type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']),
            httpPort: z.int().min(1).max(65_535),
            grpcPort: z.int().min(1).max(65_535),
            annotations: z.record(z.string(), z.string()),
          })
          .partial(),
        ...placement,
      })
      .partial(),
    scheduler: z.strictObject({ replicas: z.int().min(1), resources, ...placement }).partial(),
    kvcache: z.strictObject({ replicas: count.max(64), redis: secretRef, resources, ...placement }).partial(),
    database: secretRef.extend({ size: quantity.optional(), storageClassName: z.string().optional() }),
    redis: secretRef.extend({
      simple: z
        .strictObject({ enabled: z.boolean(), image: z.string().min(1), resources })
        .partial()
        .optional(),
    }),
    tls: z
      .strictObject({
        enabled: z.boolean(),
        trustDomain: sections.certificates.unwrap().shape.trustDomain.unwrap(),
        existingSecrets: z
          .strictObject({ gateway: z.string(), scheduler: z.string(), inference: z.string(), kvcache: z.string() })
          .partial(),
        certManager: z
          .strictObject({
            issuerRef: z.strictObject({ name: z.string().min(1), kind: z.string(), group: z.string() }).partial(),
            duration: goDuration,
            renewBefore: goDuration,
          })
          .partial(),
      })
      .partial(),
    hub: secretRef,
    ingress: z
      .strictObject({
        enabled: z.boolean(),
        className: z.string(),
        annotations: z.record(z.string(), z.string()),
        hosts: z.array(z.string()),
        tls: freeList,
      })
      .partial(),
    httpRoute: z.strictObject({ enabled: z.boolean(), parentRefs: freeList, hostnames: z.array(z.string()) }).partial(),
    networkPolicy: z.strictObject({ enabled: z.boolean(), clients: freeList, prometheus: freeList }).partial(),
    monitoring: z
      .strictObject({
        podMonitors: z.boolean(),
        serviceMonitors: z.boolean(),
        rules: z.boolean(),
        dashboards: z
          .strictObject({
            enabled: z.boolean(),
            labels: z.record(z.string(), z.string()),
            annotations: z.record(z.string(), z.string()),
          })
          .partial(),
        runbookUrl: z.string().min(1),
        interval: z.string().regex(/^[0-9]+(ms|s|m)$/),
        labels: z.record(z.string(), z.string()),
        gatewayKey: secretRef,
      })
      .partial(),
    shutdown: z.strictObject({ preStopSeconds: z.int().min(1), marginSeconds: z.int().min(1) }).partial(),
    config,
    global: freeMap,
  })
  .partial();

/** Settings that apps take while they run: the chart restarts no pod for them. Its template reads two keys of each: a list in a model goes as a whole. */
export function liveSettings(): string {
  const live = configFields(hydraSchema).filter(({ reload }) => reload === 'live');
  return `${JSON.stringify(
    live.map(({ path }) => path.join('.')),
    null,
    2,
  )}\n`;
}

/** JSON Schema of the values; draft 7, which every Helm since 3 reads. */
export function chartValuesSchema(): string {
  const schema = z.toJSONSchema(chartValues, { target: 'draft-7', io: 'input', reused: 'inline' });
  return `${JSON.stringify({ title: 'Values of the HydraServe chart', ...schema }, null, 2)}\n`;
}
