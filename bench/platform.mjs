import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../dist/apps/cli/src/main.js', import.meta.url));

/** Starts `hydra up` on free ports. @returns its URL and process id, the milliseconds until it was ready, and a stop */
export async function startPlatform(env) {
  const startMs = performance.now();
  const child = spawn(process.execPath, [CLI, 'up'], {
    env: { ...process.env, HYDRA_HTTP_PORT: '0', HYDRA_GRPC_PORT: '0', HYDRA_LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill()); // it has no other way to learn that the bench has gone
  const lines = createInterface({ input: child.stdout });
  const url = await new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const match = /^ {2}REST +(\S+)\/v1$/.exec(line);
      if (match) resolve(match[1]);
    });
    child.once('exit', (code) => reject(new Error(`hydra up ended with code ${code}`)));
  });
  return {
    url,
    pid: child.pid,
    readyMs: performance.now() - startMs,
    stop: async () => {
      child.kill('SIGINT');
      await once(child, 'exit');
    },
  };
}

/** Chosen: ten times what the longest load takes on two cores. */
const LOAD_LIMIT_MS = 300_000;

/** Runs `hydra bench --json` against a server. Rejects when a request failed or it took too long. */
export async function loadServer(url, args) {
  const child = spawn(process.execPath, [CLI, 'bench', url, '--json', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LOAD_LIMIT_MS,
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(`hydra bench ended with ${signal ?? `code ${code}`}. ${output}`);
  return JSON.parse(output);
}
