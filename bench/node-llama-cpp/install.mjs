import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const json = (path) => JSON.parse(readFileSync(`${folder}/${path}`, 'utf8'));

/**
 * Installs the peer once. Not with `npm ci`: that refuses where a registry lacks the package of one of the peer's other
 * platforms. Versions are those of the lockfile, which stays as it is.
 */
export function installPeer() {
  const { dependencies } = json('package.json');
  const installed = 'node_modules/node-llama-cpp/package.json';
  if (existsSync(`${folder}/${installed}`) && json(installed).version === dependencies['node-llama-cpp']) return;
  process.stderr.write('Installing node-llama-cpp ...\n');
  const { status } = spawnSync('npm', ['install', '--no-save', '--loglevel=error'], {
    cwd: folder,
    env: { ...process.env, NODE_LLAMA_CPP_SKIP_DOWNLOAD: 'true' },
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) {
    throw new Error(
      'node-llama-cpp could not be installed, npm says why above; without it: --only gateway.16,javascriptShare.16,memory,genai.',
    );
  }
}
