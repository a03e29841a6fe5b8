import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IdentityStore } from '#lib/auth';
import { PROCESS_SETTINGS } from '#lib/config';
import { openDatabase } from '#lib/database';
import { AROUND, MEASURED, spawnOn } from './cores.mjs';

export const MODEL = 'bench-model';
/** Served where a case asks for it: by workers of another pace. */
export const OTHER_MODEL = 'other-model';
/** Of the mock workers. */
export const MOCK = { modelId: MODEL, ttftMs: 20, itlMs: 10, contextTokens: 8_192, maxRunningSequences: 256 };
const PLENTY = 1_000_000_000;
const ACTOR = { name: 'bench', address: '' };
const PROBE = fileURLToPath(new URL('./loop-probe.mjs', import.meta.url));

const MOCK_WORKER = fileURLToPath(new URL('./mock-worker.mjs', import.meta.url));

const entryOf = (app) => fileURLToPath(new URL(`../../dist/apps/${app}/src/main.js`, import.meta.url));

/**
 * A scheduler, mock workers and gateways, each a process of its own: the gateways on the core that is measured, all else
 * around. Clients need a key of a tenant with limits that are counted and never reached.
 * @param {object} [options]
 * @param {readonly Partial<typeof MOCK>[]} [options.mocks]  settings of each worker; default four of the model's pace
 * @param {readonly {entry?: string, env?: Record<string, string>, flags?: readonly string[]}[]} [options.gateways]  what each has
 *   of its own: another build's main.js, environment, flags of Node; default one with nothing
 * @param {object} [options.gatewaySettings]  section `gateway` of hydra.yaml
 * @param {object} [options.schedulerSettings]
 * @param {(message: object) => void} [options.onWorkerMessage]
 */
export async function startPlatform({
  mocks = Array(4).fill({}),
  gateways = [{}],
  gatewaySettings = {},
  schedulerSettings = {},
  onWorkerMessage,
} = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-bench-gateway-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'hydra.yaml');
  const settings = {
    models: [{ id: MODEL }, { id: OTHER_MODEL }],
    gateway: gatewaySettings,
    scheduler: schedulerSettings,
  };
  writeFileSync(config, JSON.stringify(settings)); // which YAML is, too
  const databaseUrl = `sqlite:${join(folder, 'hydra.db')}`;
  const key = await createKey(databaseUrl);
  const env = {
    ...process.env,
    HYDRA_CONFIG: config,
    HYDRA_DATABASE_URL: databaseUrl,
    HYDRA_AUTH: 'required',
  };
  const apps = [];
  const start = async (place, entry, more, { defaults, ...options } = {}) => {
    const app = new App(place, entry, { ...defaults, ...env, ...more }, options);
    apps.push(app);
    await app.listening;
    return app;
  };
  const { flags, env: defaults } = PROCESS_SETTINGS.scheduler;
  const ports = { HYDRA_SCHEDULER_GRPC_PORT: '0', HYDRA_SCHEDULER_HTTP_PORT: '0' };
  const scheduler = await start(AROUND, entryOf('scheduler'), ports, { flags, defaults });
  const joined = { HYDRA_SCHEDULER_TARGET: `127.0.0.1:${scheduler.ports.grpcPort}` };
  const startedWorkers = await Promise.all(
    mocks.map((mock, index) => {
      const settings = {
        ...MOCK,
        ...mock,
        workerId: `worker-${index}`,
        schedulerTarget: joined.HYDRA_SCHEDULER_TARGET,
      };
      return start(AROUND, MOCK_WORKER, {}, { settings, onMessage: onWorkerMessage });
    }),
  );
  const startedGateways = await Promise.all(
    gateways.map(({ entry = entryOf('gateway'), env: own, flags = PROCESS_SETTINGS.gateway.flags }) =>
      start(
        MEASURED,
        entry,
        { ...joined, HYDRA_HTTP_PORT: '0', HYDRA_GRPC_PORT: '0', ...own },
        { flags: ['--import', PROBE, ...flags] },
      ),
    ),
  );
  await Promise.all(startedGateways.map(({ ports }) => untilReady(ports.httpPort)));
  return {
    gateways: startedGateways,
    pids: startedGateways.map(({ pid }) => pid),
    ports: startedGateways.map(({ ports }) => ports.httpPort),
    workerTargets: startedWorkers.map(({ ports }) => `127.0.0.1:${ports.grpcPort}`),
    headers: { authorization: `Bearer ${key}` },
    stop: async () => {
      for (const app of apps.reverse()) await app.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function createKey(databaseUrl) {
  const database = await openDatabase(databaseUrl);
  const store = new IdentityStore(database);
  await store.tenants.create({ id: 'bench', name: 'bench' }, ACTOR);
  await store.tenants.createAccount({ tenantId: 'bench', name: 'load', roles: ['user'] }, ACTOR);
  const limits = { requestsPerMinute: PLENTY, tokensPerMinute: PLENTY, concurrentRequests: PLENTY };
  await store.limits.set('bench', { keyId: undefined, limits }, ACTOR);
  const wish = { tenantId: 'bench', accountName: 'load', scopes: ['inference', 'metrics'], expiresAtMs: undefined };
  const { text } = await store.keys.create(wish, ACTOR);
  await database.destroy();
  return text;
}

class App {
  #child;

  constructor(place, entry, env, { flags = [], settings, onMessage = () => {} } = {}) {
    const options = { env, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] };
    this.#child = spawnOn(place, process.execPath, [...flags, entry], options);
    this.#child.stdout.resume(); // log lines are written, as anywhere, and not looked at
    this.#child.on('message', onMessage);
    if (settings !== undefined) this.#child.send(settings);
    this.listening = new Promise((resolve, reject) => {
      this.#child.on('message', (message) => {
        if (message.kind !== 'listening') return;
        this.ports = message;
        resolve();
      });
      this.#child.once('exit', (code) => reject(new Error(`${entry} ended with code ${code}.`)));
    });
  }

  get pid() {
    return this.#child.pid;
  }

  /** Asks the probe within the process. */
  async ask(kind) {
    this.#child.send({ kind });
    for (;;) {
      const [message] = await once(this.#child, 'message');
      if (message.kind === `${kind}-answer`) return message;
    }
  }

  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await exited;
    clearTimeout(timer);
  }
}

async function untilReady(port) {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
    await response.arrayBuffer();
    if (response.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
