import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { type ConfigField, expectation, shown } from './fields.js';
import { DEFAULT_MODEL_ID } from './schema.js';

/** `hydra.yaml` as it was parsed, before the schema has seen it. */
export type ConfigTree = Record<string, unknown>;
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Sets the values of environment variables in the tree.
 * @param problems  grows by one sentence for each value that cannot be read
 * @returns the variable's name by path
 */
export function overlayEnvironment(
  tree: ConfigTree,
  fields: ConfigField[],
  env: Environment,
  problems: string[],
): Map<string, string> {
  const origins = new Map<string, string>();
  for (const field of fields) {
    const text = field.env === undefined ? undefined : env[field.env];
    if (field.env === undefined || text === undefined || text === '') continue;
    const value = fromText(text, field);
    if (value === undefined) {
      problems.push(`${field.env}: expected ${expectation(field)}, got ${shown(text, field)}`);
      continue;
    }
    setAt(tree, field.path, value);
    origins.set(field.path.join('.'), field.env);
  }
  return origins;
}

function fromText(text: string, field: ConfigField): unknown {
  switch (field.kind) {
    case 'number': {
      const number = Number(text);
      return text.trim() === '' || Number.isNaN(number) ? undefined : number;
    }
    case 'boolean':
      return { true: true, '1': true, false: false, '0': false }[text.toLowerCase()];
    case 'list':
      return text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
    default:
      return text;
  }
}

/** Where a section is no map, all stays as it is, for the schema to name. */
function setAt(tree: ConfigTree, path: readonly string[], value: unknown): void {
  let at = tree;
  for (const key of path.slice(0, -1)) {
    if (at[key] === undefined) at[key] = {};
    const section = at[key];
    if (typeof section !== 'object' || section === null || Array.isArray(section)) return;
    at = section as ConfigTree;
  }
  at[path.at(-1) as string] = value;
}

/** What acts on all models, by variable. */
const MODEL_VARIABLES = {
  HYDRA_WEIGHTS: 'weights',
  HYDRA_PREFILL_WEIGHTS: 'prefillWeights',
  HYDRA_NUMERICS: 'numerics',
} as const;

/** `HYDRA_MODEL` serves that one model instead of those of the file; those of `MODEL_VARIABLES` act on all. */
export function applyModelOverrides(tree: ConfigTree, env: Environment, origins: Map<string, string>): void {
  const name = env['HYDRA_MODEL'];
  if (name) {
    const listed = Array.isArray(tree['models']) ? (tree['models'] as ConfigTree[]) : [];
    const known = listed.find((model) => model?.['id'] === name);
    tree['models'] = [known ?? { id: idOfSource(name), source: name }];
  }
  for (const [variable, key] of Object.entries(MODEL_VARIABLES)) {
    const value = env[variable];
    if (!value) continue;
    const models = (Array.isArray(tree['models']) ? tree['models'] : [{ id: DEFAULT_MODEL_ID }]) as ConfigTree[];
    tree['models'] = models.map((model) => ({ ...model, [key]: value }));
    origins.set(`models[].${key}`, variable);
  }
}

/** A served name for a source: the last part of a path (as `hydra` tells one: anything that exists), a hub id as it is. */
function idOfSource(source: string): string {
  const isPath = source.startsWith('.') || isAbsolute(source) || source.startsWith('~') || existsSync(source);
  if (!isPath) return source;
  const parts = source.split('/').filter((part) => part !== '');
  return (parts.at(-1) ?? source).replace(/\.gguf$/, '');
}
