import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

it('given the workflows, when actionlint reads them, then it finds nothing', () => {
  const { stdout, status } = spawnSync(process.env['HYDRA_TEST_ACTIONLINT'] ?? '', ['-shellcheck='], {
    cwd: REPOSITORY,
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});

it('given the targets of the Dockerfile, when images are released, then each is among them', () => {
  const dockerfile = readFileSync(`${REPOSITORY}Dockerfile`, 'utf8');
  const targets = [...dockerfile.matchAll(/ AS ([a-z-]+)$/gm)].map(([, name]) => name);
  const workflow = parse(readFileSync(`${REPOSITORY}.github/workflows/release.yml`, 'utf8'));
  const released = workflow.jobs.images.strategy.matrix.include.map(({ target }: { target: string }) => target);
  expect(released).toEqual(targets.filter((name) => /^(gateway|scheduler|kvcache|inference.*)$/.test(name ?? '')));
});

it('given the steps of the workflows, when they run programs of ours, then by make or npm, which put the locked Node first', () => {
  const folder = `${REPOSITORY}.github/workflows/`;
  const commands = readdirSync(folder).flatMap((file) => {
    const jobs = Object.values<{ steps: { run?: string }[] }>(parse(readFileSync(`${folder}${file}`, 'utf8')).jobs);
    return jobs.flatMap(({ steps }) => steps.flatMap(({ run }) => run?.split('\n') ?? []));
  });
  expect(commands).toContain('make lint');
  expect(commands.filter((command) => /^\s*(node|npx|vitest) (?!-p )/.test(command))).toEqual([]);
  const { scripts } = parse(readFileSync(`${REPOSITORY}package.json`, 'utf8'));
  const named = commands.flatMap((command) => /^npm run (?:--silent )?(\S+)/.exec(command)?.[1] ?? []);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
});

it('given an owner with capital letters, when images and chart are released, then their names are in lower case', () => {
  const text = readFileSync(`${REPOSITORY}.github/workflows/release.yml`, 'utf8');
  expect(text).not.toContain('github.repository ');
  const { jobs } = parse(text) as { jobs: Record<string, { steps: { run?: string }[] }> };
  for (const job of ['images', 'chart']) {
    const [step] = jobs[job]?.steps.filter(({ run }) => run?.includes('REPOSITORY=')) ?? [];
    const file = join(mkdtempSync(join(tmpdir(), 'hydra-workflow-')), 'env');
    const env = { ...process.env, GITHUB_REPOSITORY: 'Some-Org/HydraServe', GITHUB_ENV: file };
    spawnSync('bash', ['-c', step?.run ?? ''], { env });
    expect(readFileSync(file, 'utf8')).toBe('REPOSITORY=ghcr.io/some-org/hydraserve\n');
  }
});
