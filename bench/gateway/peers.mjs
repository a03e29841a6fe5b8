import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { MEASURED, spawnOn } from './cores.mjs';

/** Measured 2026-11-28; another version may take other options. */
const VLLM_ROUTER = 'vllm-router==0.1.17';
const START_LIMIT_MS = 30_000;

/** Why a peer is not measured, in a sentence. */
export class PeerUnavailableError extends Error {
  name = 'PeerUnavailableError';
}

/**
 * What stands between the load and HTTP workers, on the core that is measured: `start` gives its process and port.
 * @type {Readonly<Record<string, (workerPorts: readonly number[]) => Promise<{pid: number, port: number, stop: () => Promise<void>}>>>}
 */
export const PEERS = { nginx: startNginx, 'vllm-router': startVllmRouter };

/** As a plain proxy: no buffering, connections to the workers are kept. */
async function startNginx(workerPorts) {
  const binary = findNginx();
  const folder = mkdtempSync(join(tmpdir(), 'hydra-bench-nginx-'));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder};`);
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; ${temporary.join(' ')}
  upstream workers { ${workerPorts.map((each) => `server 127.0.0.1:${each};`).join(' ')} keepalive 512; }
  server {
    listen 127.0.0.1:${port};
    keepalive_requests 1000000;
    location / { proxy_pass http://workers; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
  }
}\n`,
  );
  const started = await startPeer(binary, ['-c', config, '-p', folder], port);
  return { ...started, stop: () => started.stop().then(() => rmSync(folder, { recursive: true, force: true })) };
}

function findNginx() {
  if (spawnSync('nginx', ['-v']).error === undefined) return 'nginx';
  const folder = cacheFolder('nginx');
  const binary = join(folder, 'usr', 'sbin', 'nginx');
  if (!existsSync(binary)) {
    run('apt-get', ['download', 'nginx'], folder, 'nginx');
    const [packageFile] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
    run('dpkg', ['-x', packageFile, folder], folder, 'nginx');
  }
  return binary;
}

/** Round robin, the cheapest of its policies. */
async function startVllmRouter(workerPorts) {
  const folder = cacheFolder('vllm-router');
  const binary = join(folder, 'venv', 'bin', 'vllm-router');
  if (!existsSync(binary)) {
    run('python3', ['-m', 'venv', 'venv'], folder, 'vllm-router');
    run(
      join('venv', 'bin', 'pip'),
      ['install', '--quiet', '--only-binary', ':all:', VLLM_ROUTER],
      folder,
      'vllm-router',
    );
  }
  const port = await freePort();
  const workers = workerPorts.map((each) => `http://127.0.0.1:${each}`);
  const args = ['--host', '127.0.0.1', '--port', String(port), '--policy', 'round_robin', '--log-level', 'error'];
  const metrics = ['--prometheus-port', String(await freePort())];
  return startPeer(binary, [...args, ...metrics, '--worker-urls', ...workers], port);
}

async function startPeer(command, args, port) {
  const child = spawnOn(MEASURED, command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const startMs = performance.now();
  const answers = () => fetch(`http://127.0.0.1:${port}/v1/models`).then(({ ok }) => ok, () => false); // biome-ignore format: one line
  while (!(await answers())) {
    const isLate = performance.now() - startMs > START_LIMIT_MS;
    if (isLate || child.exitCode !== null) throw new PeerUnavailableError(`${command} does not answer.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const stop = async () => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return { pid: child.pid, port, stop };
}

function cacheFolder(name) {
  const folder = join(homedir(), '.cache', 'hydraserve', 'bench', name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

function run(command, args, folder, peer) {
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  const why = error === undefined ? 'it says why above' : error.message;
  throw new PeerUnavailableError(`${peer} is not measured: ${command} could not install it (${why}).`);
}
