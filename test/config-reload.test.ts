import { afterAll, beforeAll, expect, it } from 'vitest';
import { FleetOfProcesses } from './rollout/support/fleet-of-processes.js';
import { eventually } from './support/eventually.js';
import { hydra } from './support/hydra.js';
import { metricSum } from './support/metrics.js';
import { streamOutcome } from './support/stream-outcome.js';

const BASE = 'engine: mock\nmodels: [{ id: mock, strategy: round-robin }]\nmock: { itlMs: 20 }\n';
const WHOLE = { status: 200, error: undefined, isDone: true, isCut: false };

let fleet: FleetOfProcesses;
beforeAll(async () => {
  fleet = await FleetOfProcesses.start({ yaml: BASE, env: { HYDRA_LOG_LEVEL: '' }, workerModels: ['mock'] });
});
afterAll(() => fleet?.stop());

const post = (body: object, headers: Record<string, string> = {}) =>
  fetch(`${fleet.gateways[0]!.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'mock', prompt: 'hello', max_tokens: 2, ...body }),
  });
const strategy = async () => {
  const response = await post({}, { 'x-hydra-debug': 'placement' });
  return (JSON.parse(response.headers.get('x-hydra-placement') ?? '{}') as { strategy?: string }).strategy;
};
/** An app has logged it: what it wrote is read from its pipe a little after it acted, and after what it answered meanwhile. */
const untilLogged = (app: string, text: string) => eventually(() => fleet.logsOf(app).includes(text) || undefined);
/** Every app has read the file: its metric says so. */
const untilAll = (metric: string, value: number, labels: Record<string, string> = {}) =>
  eventually(async () => {
    const pages = await Promise.all(fleet.all.map((app) => app.metrics()));
    return pages.every((page) => metricSum(page, metric, labels) === value) || undefined;
  });

it('given running streams, when strategy, limit, alias and log level of the file change, then they count at once and nothing is dropped', async () => {
  expect(await strategy()).toBe('round-robin');
  const running = Array.from({ length: 4 }, () => streamOutcome(fleet.gateways[0]!.url, { maxTokens: 200 }));
  fleet.writeConfig(
    `${BASE.replace('round-robin', 'least-loaded')}aliases: { gpt-4o: mock }\ngateway: { maxChoices: 1 }\nlog: { level: debug }\n`,
  );
  await untilAll('hydra_config_generation', 2);
  expect(await strategy()).toBe('least-loaded');
  expect((await post({ model: 'gpt-4o' })).status).toBe(200);
  const tooMany = await post({ n: 2 });
  expect(tooMany.status).toBe(400);
  expect(await tooMany.json()).toMatchObject({ error: { param: 'n' } });
  await untilLogged('scheduler', '"level":"debug"');
  for (const outcome of await Promise.all(running)) expect(outcome).toMatchObject({ ...WHOLE, events: 200 });
});

it('given a file that is not valid, when it is written, then all go on as before, and log and metric say why', async () => {
  fleet.writeConfig('models: []\n');
  await untilAll('hydra_config_reloads_total', 1, { outcome: 'refused' });
  await untilAll('hydra_config_refused', 1);
  await untilLogged('gateway-a', 'expected at least one model');
  expect((await post({ model: 'gpt-4o' })).status).toBe(200);
});

it('given settings that need a restart, when they change, then a line names them, and SIGHUP reads the file at once', async () => {
  fleet.writeConfig(`${BASE.replace('itlMs: 20', 'itlMs: 30')}aliases: { gpt-4o: mock }\n`);
  for (const app of fleet.all) app.signal('SIGHUP');
  await untilAll('hydra_config_pending_settings', 1);
  await untilAll('hydra_config_refused', 0);
  await untilLogged('worker-0', '"needs_restart":["mock.itlMs"]');
  const old = `${fleet.folder}/old.yaml`;
  fleet.writeConfig(BASE, old);
  const { stdout } = await hydra(['config', 'diff', old, fleet.configFile]);
  expect(stdout).toMatch(/mock\.itlMs +20 +30 +restart/);
  expect(stdout).toMatch(/aliases .* live/);
});
