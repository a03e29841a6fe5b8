import { absolutePath } from './absolute-path.js';
import { certificateProblems, withAbsoluteCertificates } from './certificate-paths.js';
import { ConfigError, configFileTree, type LoadConfigOptions } from './config-file.js';
import { applyModelOverrides, type ConfigTree, overlayEnvironment } from './environment.js';
import { type ConfigField, configFields, expectation, shown } from './fields.js';
import { jwtProblems } from './jwt-problems.js';
import { type HydraConfig, hydraSchema } from './schema.js';

/**
 * Reads `hydra.yaml` (or the file named by `HYDRA_CONFIG`) and the environment on top.
 * @returns the whole configuration, frozen
 * @throws ConfigError when the file cannot be read or any value is wrong
 */
export function loadConfig({ env = process.env, folder = process.cwd() }: LoadConfigOptions = {}): HydraConfig {
  const fields = configFields(hydraSchema);
  const problems: string[] = [];
  const tree = configFileTree({ env, folder });
  const origins = overlayEnvironment(tree, fields, env, problems);
  applyModelOverrides(tree, env, origins);
  if (problems.length > 0) throw new ConfigError(problems);

  const result = hydraSchema.safeParse(tree);
  if (!result.success) {
    throw new ConfigError(result.error.issues.map((issue) => describeIssue(issue, tree, fields, origins)));
  }
  const config = withDefaultAlias(withOneForm(withExactWeights(crossCheck(result.data, origins))));
  return deepFreeze(withAbsoluteAdapters(withAbsoluteCertificates(withAbsoluteFolder(config, folder), folder), folder));
}

interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
  readonly expected?: string;
}

/** What a section is to be, by zod's word; leaves have `expectation`. */
const SECTION_KINDS: Readonly<Record<string, string>> = { object: 'a map', array: 'a list' };

function describeIssue(issue: Issue, tree: ConfigTree, fields: ConfigField[], origins: Map<string, string>): string {
  const path = issue.path.map(String);
  const where = path.map((key, i) => (/^\d+$/.test(key) ? `[${key}]` : i === 0 ? key : `.${key}`)).join('');
  if (issue.code === 'unrecognized_keys') {
    return `${where ? `${where}: ` : ''}unknown key ${issue.keys?.map((key) => JSON.stringify(key)).join(', ')}`;
  }
  const pattern = where.replace(/\[\d+\]/g, '[]');
  const field = fields.find((candidate) => candidate.path.join('.') === pattern);
  const name = origins.get(pattern) ?? where;
  const value = path.reduce<unknown>((at, key) => (at as ConfigTree | null | undefined)?.[key], tree);
  const got = value === undefined || value === null ? 'nothing' : shown(value, field);
  if (issue.message.startsWith('expected ')) return `${name}: ${issue.message}, got ${got}`; // the rule has words of its own
  const expected = field ? expectation(field) : SECTION_KINDS[issue.expected ?? ''];
  return `${name}: ${expected === undefined ? issue.message : `expected ${expected}`}, got ${got}`;
}

/** What no single value shows. */
function crossCheck(config: HydraConfig, origins: ReadonlyMap<string, string>): HydraConfig {
  const problems: string[] = [];
  const ids = config.models.map((model) => model.id);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) problems.push(`models: the id ${JSON.stringify(twice)} stands twice`);
  for (const [i, { prefillWeights }] of config.models.entries()) {
    if (config.workers.device !== 'cuda' || prefillWeights !== 'fp32') continue;
    const name = origins.get('models[].prefillWeights') ?? `models[${i}].prefillWeights`;
    problems.push(`${name}: a copy of the weights for prompts is for CPUs, and workers.device is \`cuda\``);
  }
  for (const [i, { numerics, weights }] of config.models.entries()) {
    if (numerics === 'fast' || weights === 'auto' || weights === 'fp32') continue;
    const name = origins.get('models[].numerics') ?? `models[${i}].numerics`;
    problems.push(`${name}: \`exact\` computes with weights \`fp32\` alone, and models[${i}] has \`${weights}\``);
  }
  for (const [alias, target] of Object.entries(config.aliases)) {
    if (ids.includes(alias)) {
      problems.push(`aliases.${alias}: is the id of a model, which would never be reached under another meaning`);
    }
    if (target !== 'default' && !ids.includes(target)) {
      problems.push(
        `aliases.${alias}: expected \`default\` or one of ${ids.join(', ')}, got ${JSON.stringify(target)}`,
      );
    }
  }
  problems.push(...adapterProblems(config));
  const served = config.workers.model;
  if (served !== undefined && !ids.includes(served)) {
    const name = origins.get('workers.model') ?? 'workers.model';
    problems.push(`${name}: expected one of ${ids.join(', ')}, got ${JSON.stringify(served)}`);
  }
  const { reportIntervalMs, workerTimeoutMs } = config.scheduler;
  if (reportIntervalMs >= workerTimeoutMs) {
    problems.push(
      `scheduler.reportIntervalMs: expected less than scheduler.workerTimeoutMs (${workerTimeoutMs}), got ${reportIntervalMs}`,
    );
  }
  problems.push(...certificateProblems(config), ...config.auth.jwt.flatMap(jwtProblems));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** Adapters are asked for as models are, so that no name means two things. */
function adapterProblems({ models, aliases }: HydraConfig): string[] {
  const problems: string[] = [];
  const taken = new Map<string, string>([
    ...models.map(({ id }): [string, string] => [id, 'a model']),
    ...Object.keys(aliases).map((alias): [string, string] => [alias, 'an alias']),
  ]);
  for (const [i, { adapters, maxAdapters }] of models.entries()) {
    if (adapters.length > maxAdapters) {
      problems.push(
        `models[${i}].adapters: expected at most ${maxAdapters} (models[${i}].maxAdapters), got ${adapters.length}`,
      );
    }
    for (const [j, { id }] of adapters.entries()) {
      const other = taken.get(id);
      if (other !== undefined) {
        problems.push(`models[${i}].adapters[${j}].id: ${JSON.stringify(id)} is the name of ${other} already`);
      }
      taken.set(id, 'an adapter');
    }
  }
  return problems;
}

/** Kernels for smaller weights round what goes through them, depending on the batch. */
function withExactWeights(config: HydraConfig): HydraConfig {
  const models = config.models.map((model) =>
    model.numerics === 'exact' ? { ...model, weights: 'fp32' as const } : model,
  );
  return { ...config, models };
}

/** A copy of the weights for prompts is for CPUs: on a GPU `auto` is the same form for all. */
function withOneForm(config: HydraConfig): HydraConfig {
  if (config.workers.device !== 'cuda') return config;
  return { ...config, models: config.models.map((model) => ({ ...model, prefillWeights: 'same' as const })) };
}

/** Under `default` the first model can always be asked for, unless the name was given away. */
function withDefaultAlias(config: HydraConfig): HydraConfig {
  if (config.models.some(({ id }) => id === 'default')) return config;
  return { ...config, aliases: { default: 'default', ...config.aliases } };
}

function withAbsoluteFolder(config: HydraConfig, base: string): HydraConfig {
  const { folder } = config.storage;
  return { ...config, storage: { ...config.storage, folder: absolutePath(base, folder) } };
}

function withAbsoluteAdapters(config: HydraConfig, base: string): HydraConfig {
  const models = config.models.map((model) => ({
    ...model,
    adapters: model.adapters.map(({ id, path }) => ({ id, path: absolutePath(base, path) })),
  }));
  return { ...config, models };
}

/** Also what it holds. @returns the same */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
