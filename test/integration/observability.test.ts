import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROMETHEUS = process.env['HYDRA_TEST_PROMETHEUS'] ?? '';

interface Compose {
  readonly services: Readonly<Record<string, { readonly volumes: readonly string[] }>>;
}

/** What is read of it. */
interface PrometheusState {
  readonly groups: readonly { readonly name: string }[];
  readonly activeTargets: readonly { readonly labels: Readonly<Record<string, string>> }[];
}

describe('the Compose file', () => {
  const compose = parse(readFileSync(`${ROOT}observability/compose.yaml`, 'utf8')) as Compose;

  it('given the schema of Compose, when checked, then it is valid', () => {
    const schema = JSON.parse(readFileSync(process.env['HYDRA_TEST_COMPOSE_SCHEMA'] ?? '', 'utf8'));
    const validate = new Ajv({ strict: false, validateFormats: false }).compile({ ...schema, $schema: undefined });
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...compose, services: { broken: { image: 1 } } })).toBe(false);
  });

  it('given what it mounts from the repository, when looked for, then it is there', () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes }) =>
      volumes.map((volume) => volume.split(':')[0] ?? ''),
    );
    const own = mounted.filter((path) => path.startsWith('.'));
    expect(own.length).toBeGreaterThan(3);
    for (const path of own) expect(existsSync(join(ROOT, 'observability', path)), path).toBe(true);
  });
});

describe('make obs-up without Docker', () => {
  const home = mkdtempSync(join(tmpdir(), 'hydra-obs-'));
  const tools = join(home, 'bin');
  mkdirSync(tools);
  writeFileSync(join(tools, 'docker'), '#!/bin/sh\nexit 1\n'); // as a client without an engine
  chmodSync(join(tools, 'docker'), 0o755);
  const run = async (script: string, env: Readonly<Record<string, string>>) => {
    const PATH = `${tools}:${process.env['PATH']}:${dirname(PROMETHEUS)}`;
    const options = { env: { ...process.env, PATH, HYDRA_HOME: home, HYDRA_OBS: join(home, 'obs'), ...env } };
    return (await promisify(execFile)(join(ROOT, 'scripts', script), options)).stdout;
  };
  afterAll(() => run('obs-down.sh', {}));

  it('given a local Prometheus, when started, then it has our rules and finds what hydra up names; when ended, it is gone', async () => {
    const port = String(await freePort());
    const env = { HYDRA_OBS_PORT: port };
    expect(await run('obs-up.sh', env)).toContain(`started the local Prometheus at http://127.0.0.1:${port}`);
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
      return ((await response.json()) as { data: PrometheusState }).data;
    };
    const { groups } = await get('rules');
    expect(groups.map(({ name }) => name)).toEqual(expect.arrayContaining(['hydraserve-slo', 'hydraserve-load']));
    const targets = [{ targets: ['127.0.0.1:1'], labels: { app: 'gateway', __scheme__: 'http' } }];
    writeFileSync(join(home, 'run', 'prometheus-targets.json'), JSON.stringify(targets));
    const app = async () => (await get('targets')).activeTargets[0]?.labels['app'];
    expect(await eventually(app, 60_000)).toBe('gateway');
    expect(await run('obs-up.sh', env)).toContain('runs already');
    expect(await run('obs-down.sh', env)).toContain('Ended the local Prometheus');
    await expect(fetch(`http://127.0.0.1:${port}/-/ready`)).rejects.toThrow();
    expect(await run('obs-down.sh', env)).toContain('Nothing of it runs');
  });
});
