import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError } from './config-file.js';
import { LiveConfig, type ReloadOutcome } from './live-config.js';

const opened: LiveConfig[] = [];
afterEach(() => {
  for (const config of opened.splice(0)) config.close();
});

function open(yaml: string, env: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-live-'));
  const file = join(folder, 'hydra.yaml');
  writeFileSync(file, yaml);
  const config = new LiveConfig({ env, folder });
  opened.push(config);
  return { config, folder, file, write: (text: string) => writeFileSync(file, text) };
}

const pathsOf = (outcome: ReloadOutcome) =>
  outcome.kind === 'applied'
    ? { applied: outcome.applied.map(({ path }) => path), pending: outcome.pending.map(({ path }) => path) }
    : outcome;

const TWO_MODELS = 'models: [{ id: a }, { id: b, strategy: round-robin }]\n';

describe('LiveConfig', () => {
  it('given settings of both kinds, when the file is read again, then the live ones count and the others are named', () => {
    const { config, write } = open(TWO_MODELS);
    const before = config.view.gateway;
    write(
      'models: [{ id: a, weights: int8 }, { id: b, strategy: weighted }]\naliases: { gpt: b }\ngateway: { httpPort: 1, concurrentRequests: 7 }\n',
    );
    expect(pathsOf(config.reload())).toEqual({
      applied: expect.arrayContaining(['models[b].strategy', 'aliases', 'gateway.concurrentRequests']),
      pending: ['models[a].weights', 'gateway.httpPort'],
    });
    expect(config.view.models.map(({ strategy, weights }) => [strategy, weights])).toEqual([
      ['predicted-ttft', 'auto'],
      ['weighted', 'auto'],
    ]);
    expect(config.view.aliases).toEqual({ default: 'default', gpt: 'b' });
    expect(config.view.gateway).toMatchObject({ httpPort: 8080, concurrentRequests: 7 });
    expect(before.concurrentRequests).toBe(2_048); // whoever holds a section holds what it was
    expect(Object.isFrozen(config.view.gateway)).toBe(true);
    expect(config.generation).toBe(2);
    expect(config.pending).toHaveLength(2);
  });

  it('given another list of models, when read, then it waits for a start, and what is live of the common ones does not', () => {
    const { config, write } = open(TWO_MODELS);
    write('models: [{ id: c }, { id: b, strategy: weighted }]\n');
    expect(pathsOf(config.reload())).toEqual({ applied: ['models[b].strategy'], pending: ['models'] });
    expect(config.view.models.map(({ id }) => id)).toEqual(['a', 'b']);
    write('models: [{ id: a }, { id: b, strategy: weighted }]\n'); // back again
    expect(pathsOf(config.reload())).toEqual({ applied: [], pending: [] });
  });

  it('given other adapters of a model, when read, then they count at once, as a list', () => {
    const { config, write } = open('models: [{ id: a, adapters: [{ id: x, path: /x }] }, { id: b }]\n');
    write(
      'models: [{ id: a, adapters: [{ id: x, path: /z }, { id: y, path: /y }] }, { id: b, adapters: [{ id: w, path: /w }] }]\n',
    );
    expect(pathsOf(config.reload())).toEqual({ applied: ['models[a].adapters', 'models[b].adapters'], pending: [] });
    expect(config.view.models.map(({ adapters }) => adapters.map(({ path }) => path))).toEqual([['/z', '/y'], ['/w']]);
    write('models: [{ id: a, maxAdapters: 3 }, { id: b }]\n');
    const outcome = pathsOf(config.reload());
    expect(outcome).toEqual({
      applied: ['models[a].adapters', 'models[b].adapters'],
      pending: ['models[a].maxAdapters'],
    });
    expect(config.view.models.every(({ adapters }) => adapters.length === 0)).toBe(true);
  });

  it.each([
    ['gateway: { concurrentRequests: -1 }', 'gateway.concurrentRequests'],
    ['gateway: [', 'not valid YAML'],
    ['aliases: { x: nowhere }', 'aliases.x'],
    ['surprise: 1', 'surprise'],
    ['models: &a\n  - id: m\n  - *a\n', 'models[1]'],
  ])('given %s, when read, then it is refused with its reason and nothing changes', (yaml, named) => {
    const { config, write } = open('aliases: { gpt: default }\n');
    const { view } = config;
    const before = structuredClone({ ...view });
    write(yaml);
    const outcome = config.reload();
    expect(outcome.kind).toBe('refused');
    if (outcome.kind === 'refused') expect(outcome.problems.join()).toContain(named);
    expect({ ...view }).toEqual(before);
    expect(config.generation).toBe(1);
  });

  it('given a comment more, when read, then nothing is new', () => {
    const { config, write } = open('aliases: { gpt: default }\n');
    write('# why\naliases: { gpt: default }\n');
    expect(config.reload()).toEqual({ kind: 'unchanged' });
  });

  it('given a variable that stands above the file, when the file changes below it, then nothing does', () => {
    const { config, write } = open('log: { level: info }\n', { HYDRA_LOG_LEVEL: 'warn' });
    write('log: { level: debug }\n');
    expect(config.reload()).toEqual({ kind: 'unchanged' });
    expect(config.view.log.level).toBe('warn');
  });

  it('given a secret that changed, when told of, then it is not shown', () => {
    const { config, write } = open('database: { url: "postgres://user:first@host/x" }\n');
    write('database: { url: "postgres://user:second@host/x" }\n');
    config.reload();
    expect(JSON.stringify(config.pending)).not.toMatch(/first|second/);
  });

  it('given a wrong file at the start, then there is no configuration', () => {
    expect(() => open('surprise: 1')).toThrow(ConfigError);
  });

  it.each(['', '\n', '# all of it\n  # is a comment\n'])(
    'given a file that has become empty (%j), when read, then it is refused and what ran goes on, until it says something',
    (empty) => {
      const { config, write } = open(TWO_MODELS);
      write(empty);
      for (let i = 0; i < 2; i++) {
        expect(config.reload()).toEqual({ kind: 'refused', problems: [expect.stringContaining('empty')] });
      }
      expect(config.view.models.map(({ id }) => id)).toEqual(['a', 'b']);
      write('models: [{ id: a }, { id: b, strategy: weighted }]\n');
      expect(pathsOf(config.reload())).toEqual({ applied: ['models[b].strategy'], pending: [] });
    },
  );

  it('given a file that was empty from the beginning, when it is touched, then nothing is refused', () => {
    const { config, write } = open('');
    write('# nothing yet\n');
    expect(config.reload()).toEqual({ kind: 'unchanged' });
  });

  it('given an editor that puts another file in its place, when followed, then the change is told', async () => {
    const { config, file } = open('aliases: {}\n');
    const told = new Promise<ReloadOutcome>((resolve) => config.follow(resolve));
    writeFileSync(`${file}.swp`, 'aliases: { gpt: default }\n');
    renameSync(`${file}.swp`, file);
    expect(pathsOf(await told)).toEqual({ applied: ['aliases'], pending: [] });
  });

  it('given a ConfigMap whose link goes to another folder, when followed, then the change is told', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hydra-map-'));
    const version = (name: string, yaml: string) => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'hydra.yaml'), yaml);
      symlinkSync(name, join(folder, '..next'));
      renameSync(join(folder, '..next'), join(folder, '..data'));
    };
    version('..1', 'aliases: {}\n');
    symlinkSync('..data/hydra.yaml', join(folder, 'hydra.yaml'));
    const config = new LiveConfig({ env: {}, folder });
    opened.push(config);
    const told = new Promise<ReloadOutcome>((resolve) => config.follow(resolve));
    version('..2', 'aliases: { gpt: default }\n');
    expect(pathsOf(await told)).toEqual({ applied: ['aliases'], pending: [] });
  });

  it.each([
    ['a folder', (file: string) => mkdirSync(file)],
    ['a link to itself', (file: string) => symlinkSync(file, file)],
    ['a pipe', (file: string) => execFileSync('mkfifo', [file])],
  ])('given %s in its place, when followed, then it is refused, once, and what ran goes on', async (_, put) => {
    const { config, file } = open('aliases: { gpt: default }\n');
    const told: ReloadOutcome[] = [];
    const second = new Promise<void>((resolve) =>
      config.follow((outcome) => {
        if (told.push(outcome) === 2) resolve();
      }),
    );
    rmSync(file);
    put(file);
    await expect.poll(() => told, { timeout: 10_000 }).toHaveLength(1);
    expect(config.reload()).toMatchObject({ kind: 'refused' });
    renameSync(file, `${file}.old`);
    writeFileSync(file, 'aliases: {}\n');
    await second;
    expect(told.map(({ kind }) => kind)).toEqual(['refused', 'applied']);
    expect(config.view.aliases).toEqual({ default: 'default' });
  });

  it('given who listens and fails, when settings change, then it is told and the others hear of it', () => {
    const { config, write } = open('aliases: {}\n');
    let heard = 0;
    config.onChange(() => {
      throw new Error('it broke');
    });
    config.onChange(() => heard++);
    write('aliases: { gpt: default }\n');
    expect(config.reload()).toEqual({ kind: 'refused', problems: [expect.stringContaining('it broke')] });
    expect(heard).toBe(1);
  });
});
