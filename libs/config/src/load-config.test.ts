import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from './config-file.js';
import { loadConfig } from './load-config.js';

function load(yaml: string, env: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-config-'));
  if (yaml) writeFileSync(join(folder, 'hydra.yaml'), yaml);
  return loadConfig({ env, folder });
}

function problems(yaml: string, env: Record<string, string> = {}): readonly string[] {
  try {
    load(yaml, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  it('given a Redis that is none, then the problem says what was expected and shows no password', () => {
    const expected =
      'expected a URL that begins with `redis://` or `rediss://`, got something else (a secret, not shown)';
    const url = 'http://user:hunter2@host';
    expect(problems(`limits: { redisUrl: '${url}' }`)).toEqual([`limits.redisUrl: ${expected}`]);
    expect(problems('', { HYDRA_KVCACHE_REDIS_URL: url })).toEqual([`HYDRA_KVCACHE_REDIS_URL: ${expected}`]);
  });

  it('given no file and no variables, when loaded, then the defaults serve the default model on loopback', () => {
    const config = load('');
    expect(config.models.map((model) => model.id)).toEqual(['smollm2-135m-instruct']);
    expect(config.gateway).toMatchObject({ host: '127.0.0.1', httpPort: 8080, grpcPort: 9090 });
    expect(Object.isFrozen(config.gateway)).toBe(true);
  });

  it('given a file and a variable for the same key, when loaded, then the variable wins', () => {
    expect(load('gateway: { httpPort: 1000 }', { HYDRA_HTTP_PORT: '2000' }).gateway.httpPort).toBe(2000);
  });

  it('given adapters, when loaded, then their folders are absolute', () => {
    const { models } = load('models: [{ id: a, adapters: [{ id: x, path: adapters/x }, { id: y, path: /y }] }]');
    expect(models[0]!.adapters).toEqual([
      { id: 'x', path: expect.stringMatching(/^\/.+\/adapters\/x$/) },
      { id: 'y', path: '/y' },
    ]);
    expect(models[0]).toMatchObject({ maxAdapters: 8, maxAdapterRank: 64 });
  });

  it('given adapters that cannot be, when loaded, then each is named', () => {
    const adapters = (list: string) =>
      problems(`models: [{ id: a, adapters: [${list}] }, { id: b, maxAdapters: 1 }]\naliases: { c: a }`);
    expect(adapters('{ id: b, path: /x }, { id: c, path: /x }')).toEqual([
      'models[0].adapters[0].id: "b" is the name of a model already',
      'models[0].adapters[1].id: "c" is the name of an alias already',
    ]);
    expect(adapters('{ id: x, path: /x }, { id: x, path: /y }')).toEqual([
      'models[0].adapters[1].id: "x" is the name of an adapter already',
    ]);
    expect(adapters('{ id: x }')).toEqual(['models[0].adapters[0].path: expected a text, got nothing']);
    expect(adapters('{ id: x, path: /x, rank: 8 }')).toEqual(['models[0].adapters[0]: unknown key "rank"']);
    expect(
      problems('models: [{ id: a, maxAdapters: 1, adapters: [{ id: x, path: /x }, { id: y, path: /y }] }]'),
    ).toEqual(['models[0].adapters: expected at most 1 (models[0].maxAdapters), got 2']);
  });

  it('given a wrong variable, when loaded, then it is named with what was expected', () => {
    expect(problems('', { HYDRA_HTTP_PORT: 'eighty' })).toEqual([
      'HYDRA_HTTP_PORT: expected a whole number from 0 to 65535, got "eighty"',
    ]);
    expect(problems('', { HYDRA_HTTP_PORT: '70000' })).toEqual([
      'HYDRA_HTTP_PORT: expected a whole number from 0 to 65535, got 70000',
    ]);
    expect(problems('', { HYDRA_ENGINE: 'onxx' })).toEqual([
      'HYDRA_ENGINE: expected one of `onnx`, `mock`, got "onxx"',
    ]);
    expect(problems('', { HYDRA_WEIGHTS: 'int3' })).toEqual([
      'HYDRA_WEIGHTS: expected one of `auto`, `fp32`, `int8`, `int4`, `w8a8`, got "int3"',
    ]);
  });

  it('given wrong values in the file, when loaded, then each is named by its path', () => {
    expect(problems('models: [{ id: a, weights: int3 }]\ngateway: { httpPort: -1, prot: 3 }')).toEqual([
      'models[0].weights: expected one of `auto`, `fp32`, `int8`, `int4`, `w8a8`, got "int3"',
      'gateway.httpPort: expected a whole number from 0 to 65535, got -1',
      'gateway: unknown key "prot"',
    ]);
  });

  it('given broken YAML or a missing file, when loaded, then one sentence says so', () => {
    expect(problems('models: [')[0]).toMatch(/not valid YAML/);
    expect(problems('', { HYDRA_CONFIG: 'nowhere.yaml' })).toEqual([
      'HYDRA_CONFIG: expected the path of a file, got "nowhere.yaml"',
    ]);
    expect(problems('', { HYDRA_CONFIG: '.' })[0]).toMatch(/: cannot be read: it is not a regular file/);
  });

  it.each([
    ['models: &a\n  - id: m\n  - *a\n', 'models[1]'],
    ['aliases: &x\n  default: *x\n', 'aliases.default'],
    ['&all\ngateway: { httpPort: 1 }\nlimits: *all\n', 'limits'],
  ])('given an alias inside what it repeats (%j), then it is named', (yaml, where) => {
    expect(problems(yaml)).toEqual([expect.stringContaining(`${where}: the alias stands inside what it repeats`)]);
  });

  it('given an alias beside what it repeats, then it counts as if it were written again', () => {
    const { models } = load('models:\n  - { id: a, price: &p { input: 1, output: 2 } }\n  - { id: b, price: *p }\n');
    expect(models[1]!.price).toEqual(models[0]!.price);
  });

  it('given a pipe, which nobody may ever write to, then it is refused and not waited for', () => {
    const pipe = join(mkdtempSync(join(tmpdir(), 'hydra-config-')), 'hydra.yaml');
    execFileSync('mkfifo', [pipe]);
    expect(problems('', { HYDRA_CONFIG: pipe })[0]).toMatch(/: cannot be read: it is not a regular file/);
  });

  it.each(['mysql://user:hunter2@host/x', 'hydra.db', 'sqlite:', ''])(
    'given a database %j, then it is refused',
    (url) => {
      const expected =
        'expected `sqlite:PATH` or a URL that begins with `postgres://`, got something else (a secret, not shown)';
      expect(problems(`database: { url: '${url}' }`)).toEqual([`database.url: ${expected}`]);
    },
  );

  it('given empty variables, when loaded, then they count as absent', () => {
    expect(load('gateway: { httpPort: 1000 }', { HYDRA_CONFIG: '', HYDRA_HTTP_PORT: '' }).gateway.httpPort).toBe(1000);
  });

  it('given a section that is no map, when loaded, then it is named, also when variables set values in it', () => {
    expect(problems('gateway: 5\nmodels: [x]', { HYDRA_HTTP_PORT: '2000' })).toEqual([
      'models[0]: expected a map, got "x"',
      'gateway: expected a map, got 5',
    ]);
    expect(problems('gateway:\nscheduler: []', { HYDRA_HTTP_PORT: '2000' })).toEqual([
      'gateway: expected a map, got nothing',
      'scheduler: expected a map, got []',
    ]);
    expect(problems('models: []')).toEqual(['models: expected at least one model, got []']);
  });

  it('given times that cannot work, when loaded, then the start is stopped', () => {
    expect(problems('scheduler: { reportIntervalMs: 5000 }')).toEqual([
      'scheduler.reportIntervalMs: expected less than scheduler.workerTimeoutMs (5000), got 5000',
    ]);
    expect(problems('scheduler: { leaseTtlMs: 2147483648 }')).toEqual([
      'scheduler.leaseTtlMs: expected a whole number from 1 to 2147483647, got 2147483648',
    ]);
  });

  it('given a model for the worker that nobody serves, when loaded, then it is named where it stands', () => {
    expect(problems('models: [{ id: a }]\nworkers: { model: b }')).toEqual([
      'workers.model: expected one of a, got "b"',
    ]);
    expect(problems('models: [{ id: a }]', { HYDRA_WORKER_MODEL: 'b' })).toEqual([
      'HYDRA_WORKER_MODEL: expected one of a, got "b"',
    ]);
  });

  it('given a copy of the weights for prompts, when workers are on a GPU, then it stops the start, and auto is none', () => {
    expect(load('', { HYDRA_PREFILL_WEIGHTS: 'fp32' }).models).toMatchObject([{ prefillWeights: 'fp32' }]);
    expect(load('workers: { device: cuda }').models).toMatchObject([{ prefillWeights: 'same' }]);
    expect(problems('workers: { device: cuda }', { HYDRA_PREFILL_WEIGHTS: 'fp32' })).toEqual([
      'HYDRA_PREFILL_WEIGHTS: a copy of the weights for prompts is for CPUs, and workers.device is `cuda`',
    ]);
  });

  it('given exact numerics, when loaded, then weights are fp32, and smaller ones stop the start', () => {
    expect(load('models: [{ id: a }, { id: b, numerics: exact }]').models).toMatchObject([
      { numerics: 'fast', weights: 'auto' },
      { numerics: 'exact', weights: 'fp32' },
    ]);
    expect(load('', { HYDRA_NUMERICS: 'exact' }).models).toMatchObject([{ numerics: 'exact', weights: 'fp32' }]);
    expect(problems('models: [{ id: a }, { id: b, numerics: exact, weights: int8 }]')).toEqual([
      'models[1].numerics: `exact` computes with weights `fp32` alone, and models[1] has `int8`',
    ]);
    expect(problems('', { HYDRA_NUMERICS: 'exact', HYDRA_WEIGHTS: 'int4' })).toEqual([
      'HYDRA_NUMERICS: `exact` computes with weights `fp32` alone, and models[0] has `int4`',
    ]);
    expect(problems('', { HYDRA_NUMERICS: 'precise' })).toEqual([
      'HYDRA_NUMERICS: expected one of `exact`, `fast`, got "precise"',
    ]);
  });

  it('given HYDRA_MODEL, when loaded, then that model alone is served', () => {
    const config = load('models: [{ id: a }, { id: b, weights: int8 }]\naliases: { gpt: default }', {
      HYDRA_MODEL: './x/tiny',
    });
    expect(config.models).toMatchObject([{ id: 'tiny', source: './x/tiny' }]);
    expect(load('models: [{ id: a }, { id: b, weights: int8 }]', { HYDRA_MODEL: 'b' }).models[0]?.weights).toBe('int8');
  });

  it('given HYDRA_MODEL as the path of something that exists, when loaded, then it is served under its last part', () => {
    const config = load('', { HYDRA_MODEL: 'libs/config/src' });
    expect(config.models).toMatchObject([{ id: 'src', source: 'libs/config/src' }]);
    expect(load('', { HYDRA_MODEL: 'org/name' }).models[0]?.id).toBe('org/name');
  });

  it('given no aliases, when loaded, then default is one, unless a model or the file has the name', () => {
    expect(load('models: [{ id: a }]').aliases).toEqual({ default: 'default' });
    expect(load('models: [{ id: a }]\naliases: { x: a }').aliases).toEqual({ default: 'default', x: 'a' });
    expect(load('models: [{ id: a }, { id: b }]\naliases: { default: b }').aliases).toEqual({ default: 'b' });
    expect(load('models: [{ id: a }, { id: default }]').aliases).toEqual({});
  });

  it('given sampling of a model, when loaded, then it is checked as in the public API', () => {
    const { sampling } = load('models: [{ id: a, sampling: { temperature: 0.2, top_p: 0.9, top_k: 40 } }]').models[0]!;
    expect(sampling).toEqual({ temperature: 0.2, top_p: 0.9, top_k: 40 });
    expect(problems('models: [{ id: a, sampling: { temperature: 3, topP: 1 } }]')).toEqual([
      'models[0].sampling.temperature: expected a number from 0 to 2, got 3',
      'models[0].sampling: unknown key "topP"',
    ]);
  });

  it('given an alias to nowhere or an id twice, when loaded, then the start is stopped', () => {
    expect(problems('models: [{ id: a }]\naliases: { x: y }')[0]).toMatch(/^aliases.x: expected `default` or one of a/);
    expect(problems('models: [{ id: a }, { id: b }]\naliases: { a: b }')[0]).toMatch(
      /^aliases.a: is the id of a model/,
    );
    expect(problems('models: [{ id: a }, { id: a }]')[0]).toMatch(/stands twice/);
  });
});
