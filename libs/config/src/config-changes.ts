import { isDeepStrictEqual } from 'node:util';
import { type ConfigField, configFields, shown } from './fields.js';
import { type HydraConfig, hydraSchema } from './schema.js';

/** A setting that differs between two configurations. */
export interface ConfigChange {
  /** As it stands in `hydra.yaml`: `models[mock].strategy`, `gateway.concurrentRequests`, `models` for another list of ids. */
  readonly path: string;
  readonly reload: ConfigField['reload'];
  /** For people: cut, and never a secret. Undefined where it is not set. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Where one setting stands: keys from the top; in the list of models, an id. */
interface Setting {
  readonly path: string;
  /** Undefined for a list that changes as a whole. */
  readonly field: ConfigField | undefined;
  readonly keys: readonly string[];
}

type Tree = Record<string, unknown>;

/** What differs, setting by setting. Models are told apart by their ids. */
export function configChanges(before: HydraConfig, after: HydraConfig): ConfigChange[] {
  return differingSettings(before, after).map(({ path, field, keys }) => ({
    path,
    reload: field?.reload ?? 'restart',
    before: text(read(before, keys), field),
    after: text(read(after, keys), field),
  }));
}

/** What runs, with those changes that count at once. */
export function withLiveChanges(running: HydraConfig, wanted: HydraConfig): HydraConfig {
  const next = structuredClone(running);
  for (const { field, keys } of differingSettings(running, wanted)) {
    if (field?.reload === 'live') write(next, keys, read(wanted, keys));
  }
  return next;
}

function differingSettings(before: HydraConfig, after: HydraConfig): Setting[] {
  const isOtherList = !isDeepStrictEqual(idsOf(before), idsOf(after));
  const settings = configFields(hydraSchema).flatMap((field): Setting[] => {
    const list = field.path.findIndex((key) => key.endsWith('[]'));
    if (list === -1) return [{ path: field.path.join('.'), field, keys: field.path }];
    if (field.path[0] === 'models[]') return modelSettings(field, before, after);
    const keys = field.path.slice(0, list + 1).map((key) => key.replace('[]', ''));
    return [{ path: keys.join('.'), field: undefined, keys }]; // other lists have no ids: they change as a whole
  });
  if (isOtherList) settings.unshift({ path: 'models', field: undefined, keys: ['models'] });
  const byPath = new Map(settings.map((setting) => [setting.path, setting]));
  return [...byPath.values()].filter(({ keys }) => !isDeepStrictEqual(read(before, keys), read(after, keys)));
}

/** Of models that are in both. */
function modelSettings(field: ConfigField, before: HydraConfig, after: HydraConfig): Setting[] {
  const inModel = field.path.slice(1);
  const list = inModel.findIndex((key) => key.endsWith('[]'));
  // a list of a model changes as a whole
  const rest = list === -1 ? inModel : [...inModel.slice(0, list), inModel[list]!.slice(0, -2)];
  const common = idsOf(before).filter((id) => idsOf(after).includes(id));
  return common.map((id) => ({ path: `models[${id}].${rest.join('.')}`, field, keys: ['models', id, ...rest] }));
}

function idsOf({ models }: HydraConfig): string[] {
  return models.map(({ id }) => id);
}

function read(config: HydraConfig, keys: readonly string[]): unknown {
  return keys.reduce<unknown>(child, config);
}

function child(at: unknown, key: string): unknown {
  if (Array.isArray(at)) return (at as { id: string }[]).find(({ id }) => id === key);
  return (at as Tree | undefined)?.[key];
}

/** The sections above it are there in both. */
function write(config: HydraConfig, keys: readonly string[], value: unknown): void {
  (read(config, keys.slice(0, -1)) as Tree)[keys.at(-1) as string] = value;
}

function text(value: unknown, field: ConfigField | undefined): string | undefined {
  return value === undefined ? undefined : shown(value, field);
}
