import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import type { ConfigTree, Environment } from './environment.js';

/** A value that stops the start. The message names every wrong value, where it came from and what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(
    readonly problems: readonly string[],
    options?: ErrorOptions,
  ) {
    super(problems.join('\n'), options);
  }
}

/** The file that was named is not there. */
export class ConfigFileMissingError extends ConfigError {}

export interface LoadConfigOptions {
  readonly env?: Environment;
  /** Folder that relative paths and the default `hydra.yaml` are looked up in. */
  readonly folder?: string;
}

/**
 * The file as it is now.
 * @returns undefined when there is none, which is only right where none was named
 * @throws ConfigFileMissingError, ConfigError when it is no regular file or cannot be read
 */
export function configFileText({ env = process.env, folder = process.cwd() }: LoadConfigOptions): string | undefined {
  const { path, named } = configPath(env, folder);
  try {
    return regularFileText(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      throw new ConfigError([`${path}: cannot be read: ${message}`], { cause });
    }
    if (named === undefined) return undefined;
    throw new ConfigFileMissingError([`HYDRA_CONFIG: expected the path of a file, got ${JSON.stringify(named)}`]);
  }
}

/** A pipe would hold whoever reads it, and with it all that the process does, until somebody writes: it is opened without waiting, and not read. */
function regularFileText(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(file).isFile()) throw new Error('it is not a regular file');
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

function configPath(env: Environment, folder: string) {
  const named = env['HYDRA_CONFIG'] || undefined; // an empty variable is an absent one, as for all others
  return { path: resolve(folder, named ?? 'hydra.yaml'), named };
}

/** The file as YAML says it, before the schema has seen it. @throws ConfigError */
export function configFileTree({ env = process.env, folder = process.cwd() }: LoadConfigOptions): ConfigTree {
  const text = configFileText({ env, folder });
  if (text === undefined) return {};
  const { path } = configPath(env, folder);
  try {
    const tree: unknown = parse(text) ?? {};
    if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) throw new Error('expected a map at the top');
    refuseCycles(tree, '', new Set());
    return tree as ConfigTree;
  } catch (cause) {
    throw new ConfigError([`${path}: not valid YAML: ${(cause as Error).message}`], { cause });
  }
}

/**
 * An alias inside what its anchor names has no end, and nothing that walks the tree would come to one.
 * @param around  what `value` stands in
 */
function refuseCycles(value: unknown, where: string, around: Set<object>): void {
  if (typeof value !== 'object' || value === null) return;
  if (around.has(value)) throw new Error(`${where}: the alias stands inside what it repeats`);
  around.add(value);
  for (const [key, child] of Object.entries(value)) {
    refuseCycles(child, Array.isArray(value) ? `${where}[${key}]` : where ? `${where}.${key}` : key, around);
  }
  around.delete(value);
}
