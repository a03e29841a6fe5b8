import { spawnSync } from 'node:child_process';
import { mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../scripts/deploy-local.sh', import.meta.url));

/** A PATH with nothing but these programs of this machine. */
function pathWith(...programs: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-path-'));
  for (const program of programs) {
    const { stdout } = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' });
    symlinkSync(stdout.trim(), join(folder, program));
  }
  return folder;
}

it('given a machine without a cluster and its tools, when run, then it names all that is missing and does nothing', () => {
  const env = { PATH: pathWith('bash', 'dirname', 'git'), HOME: tmpdir() };
  const { status, stderr } = spawnSync('bash', [SCRIPT], { encoding: 'utf8', env });
  expect(status).toBe(1);
  expect([...stderr.matchAll(/^ {2}(\w+): /gm)].map(([, name]) => name)).toEqual(['kubectl', 'helm', 'docker', 'kind']);
});

it('given a registry that has the images, when run, then no engine is asked for', () => {
  const env = { PATH: pathWith('bash', 'dirname', 'git'), HOME: tmpdir(), HYDRA_IMAGE_REGISTRY: 'registry.example' };
  const { stderr } = spawnSync('bash', [SCRIPT], { encoding: 'utf8', env });
  expect(stderr).not.toContain('docker');
});
