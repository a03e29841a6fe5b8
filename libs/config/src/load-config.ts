import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { type ConfigField, configFields, expectation } from './fields.js';
import { type HydraConfig, hydraSchema } from './schema.js';

/** A value that stops the start. The message names every wrong value, where it came from and what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

export interface LoadConfigOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths and the default `hydra.yaml` are looked up in. */
  readonly folder?: string;
}

type Tree = Record<string, unknown>;
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads `hydra.yaml` (or the file named by `HYDRA_CONFIG`) and the environment on top, once, at start.
 * @returns the whole configuration, frozen
 * @throws ConfigError when the file cannot be read or any value is wrong
 */
export function loadConfig({ env = process.env, folder = process.cwd() }: LoadConfigOptions = {}): HydraConfig {
  const fields = configFields(hydraSchema);
  const problems: string[] = [];
  const tree = readFile(env, folder);
  const origins = overlayEnvironment(tree, fields, env, problems);
  applyModelOverrides(tree, env, origins);
  if (problems.length > 0) throw new ConfigError(problems);

  const result = hydraSchema.safeParse(tree);
  if (!result.success) {
    throw new ConfigError(result.error.issues.map((issue) => describeIssue(issue, tree, fields, origins)));
  }
  return deepFreeze(withAbsoluteFolder(crossCheck(result.data), folder));
}

function readFile(env: Environment, folder: string): Tree {
  const named = env['HYDRA_CONFIG'];
  const path = resolve(folder, named ?? 'hydra.yaml');
  if (!existsSync(path)) {
    if (named) throw new ConfigError([`HYDRA_CONFIG: expected the path of a file, got ${JSON.stringify(named)}`]);
    return {};
  }
  try {
    const tree: unknown = parse(readFileSync(path, 'utf8')) ?? {};
    if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) throw new Error('expected a map at the top');
    return tree as Tree;
  } catch (error) {
    throw new ConfigError([`${path}: not valid YAML: ${(error as Error).message}`]);
  }
}

/** Sets the values of environment variables in the tree. @returns the variable's name by path */
function overlayEnvironment(
  tree: Tree,
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
      return text.split(',').map((part) => part.trim());
    default:
      return text;
  }
}

function setAt(tree: Tree, path: readonly string[], value: unknown): void {
  let at = tree;
  for (const key of path.slice(0, -1)) {
    const child = at[key];
    at[key] = typeof child === 'object' && child !== null ? child : {};
    at = at[key] as Tree;
  }
  at[path.at(-1) as string] = value;
}

/** `HYDRA_MODEL` serves that one model instead of those of the file; `HYDRA_WEIGHTS` changes the form of all. */
function applyModelOverrides(tree: Tree, env: Environment, origins: Map<string, string>): void {
  const name = env['HYDRA_MODEL'];
  if (name) {
    const listed = Array.isArray(tree['models']) ? (tree['models'] as Tree[]) : [];
    const known = listed.find((model) => model?.['id'] === name);
    tree['models'] = [known ?? { id: idOfSource(name), source: name }];
  }
  const weights = env['HYDRA_WEIGHTS'];
  if (weights) {
    const models = (Array.isArray(tree['models']) ? tree['models'] : [{ id: 'smollm2-135m-instruct' }]) as Tree[];
    tree['models'] = models.map((model) => ({ ...model, weights }));
    origins.set('models[].weights', 'HYDRA_WEIGHTS');
  }
}

/** A served name for a source: the last part of a path, a hub id as it is. */
function idOfSource(source: string): string {
  const isPath = source.startsWith('.') || isAbsolute(source) || source.startsWith('~');
  if (!isPath) return source;
  const parts = source.split('/').filter((part) => part !== '');
  return (parts.at(-1) ?? source).replace(/\.gguf$/, '');
}

interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

function describeIssue(issue: Issue, tree: Tree, fields: ConfigField[], origins: Map<string, string>): string {
  const path = issue.path.map(String);
  const where = path.map((key, i) => (/^\d+$/.test(key) ? `[${key}]` : i === 0 ? key : `.${key}`)).join('');
  if (issue.code === 'unrecognized_keys') {
    return `${where ? `${where}: ` : ''}unknown key ${issue.keys?.map((key) => JSON.stringify(key)).join(', ')}`;
  }
  const pattern = where.replace(/\[\d+\]/g, '[]');
  const field = fields.find((candidate) => candidate.path.join('.') === pattern);
  const name = origins.get(pattern) ?? where;
  const value = path.reduce<unknown>((at, key) => (at as Tree | undefined)?.[key], tree);
  const got = value === undefined ? 'nothing' : shown(value, field);
  return `${name}: expected ${field ? expectation(field) : issue.message}, got ${got}`;
}

function shown(value: unknown, field: ConfigField | undefined): string {
  return field?.isSecret ? 'a secret' : JSON.stringify(value).slice(0, 100);
}

function crossCheck(config: HydraConfig): HydraConfig {
  const problems: string[] = [];
  const ids = config.models.map((model) => model.id);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) problems.push(`models: the id ${JSON.stringify(twice)} stands twice`);
  for (const [alias, target] of Object.entries(config.aliases)) {
    if (target !== 'default' && !ids.includes(target)) {
      problems.push(
        `aliases.${alias}: expected \`default\` or one of ${ids.join(', ')}, got ${JSON.stringify(target)}`,
      );
    }
  }
  const served = config.workers.model;
  if (served !== undefined && !ids.includes(served)) {
    problems.push(`HYDRA_WORKER_MODEL: expected one of ${ids.join(', ')}, got ${JSON.stringify(served)}`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function withAbsoluteFolder(config: HydraConfig, base: string): HydraConfig {
  const { folder } = config.storage;
  const absolute = folder.startsWith('~/') ? join(homedir(), folder.slice(2)) : resolve(base, folder);
  return { ...config, storage: { ...config.storage, folder: absolute } };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
