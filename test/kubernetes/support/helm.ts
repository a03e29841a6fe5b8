import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { type HydraConfig, loadConfig } from '#lib/config';

/** Built by scripts/test-kubernetes.sh. */
export const HELM = process.env['HYDRA_TEST_HELM'] ?? 'helm';
export const CHART = fileURLToPath(new URL('../../../helm/hydraserve', import.meta.url));
const VALUES = fileURLToPath(new URL('../values/', import.meta.url));
/** Of the values files, without `.yaml`. */
export const VALUES_FILES = readdirSync(VALUES).map((file) => file.replace(/\.yaml$/, ''));

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Labels; readonly annotations?: Labels };
  // biome-ignore lint/suspicious/noExplicitAny: objects of any kind are looked into; the API server checks their types.
  readonly spec?: any;
  readonly data?: Readonly<Record<string, string>>;
}

export type Labels = Readonly<Record<string, string>>;

export function valuesFile(name: string): string {
  return `${VALUES}${name}.yaml`;
}

/** @throws with what helm said */
export function helm(...args: string[]): string {
  return execFileSync(HELM, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20 });
}

/** What helm says when it refuses; fails when it does not. */
export function helmRefusal(...args: string[]): string {
  const { status, stderr } = spawnSync(HELM, args, { encoding: 'utf8' });
  if (status === 0) throw new Error(`helm ${args.join(' ')} was expected to fail`);
  return stderr;
}

/** The chart with one of the values files, as text. */
export function rendered(values: string): string {
  return helm('template', 'prod', CHART, '--namespace', 'serving', '--values', valuesFile(values));
}

export function objectsOf(text: string): KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null);
}

export function isWorkload({ kind }: KubernetesObject): boolean {
  return kind === 'Deployment' || kind === 'StatefulSet';
}

/** The first container of each workload of a component. */
export function containersOf(objects: readonly KubernetesObject[], component: string): KubernetesObject['spec'][] {
  return objects
    .filter((object) => isWorkload(object) && object.metadata.labels?.['app.kubernetes.io/component'] === component)
    .map(({ spec }) => spec.template.spec.containers[0]);
}

/** Every `hydra.yaml` among the objects, as an app reads it. */
export function configsOf(objects: readonly KubernetesObject[]): HydraConfig[] {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-config-'));
  const files = objects.flatMap(({ kind, data }) => (kind === 'ConfigMap' ? (data?.['hydra.yaml'] ?? []) : []));
  return files.map((text, i) => {
    const path = join(folder, `${i}.yaml`);
    writeFileSync(path, text);
    return loadConfig({ env: { HYDRA_CONFIG: path } });
  });
}
