import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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
