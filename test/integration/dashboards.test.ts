import { readdirSync, readFileSync } from 'node:fs';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rulesOf } from '../support/alert-rules.js';
import { pidOf } from '../support/app-pid.js';
import { panelsOf } from '../support/dashboard-panels.js';
import { eventually } from '../support/eventually.js';
import {
  type KeyedPlatform,
  type ObservedPlatform,
  startMockPlatform,
  startOnnxPlatform,
} from './support/observed-platforms.js';
import { RunningPrometheus } from './support/prometheus.js';

const FOLDER = new URL('../../grafana/dashboards/', import.meta.url);
const NAMES = readdirSync(FOLDER).map((file) => file.replace('.json', ''));
const boardOf = (name: string) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')) as Dashboard;

/** What a series needs at most: scrapes, rules, rates. */
const WITHIN_MS = 120_000;
const CLIENTS = 4;

const closers: (() => Promise<unknown>)[] = [];
let mock: KeyedPlatform;
let onnx: ObservedPlatform;
let prometheus: RunningPrometheus;

/** Sends requests of every kind until it is stopped: answered, refused, left alone, without a key. */
class Load {
  private isOver = false;
  private readonly clients: Promise<void>[];

  constructor() {
    this.clients = Array.from({ length: CLIENTS }, (_, client) => this.run(client));
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.clients);
  }

  private async run(client: number): Promise<void> {
    for (let turn = 0; !this.isOver; turn++) {
      // Half of each prompt is that of all others: prefixes are found.
      const prompt = `${'the same words for everybody '.repeat(4)} ${client} ${turn % 7}`;
      const body = { model: 'default', prompt, max_tokens: 12, stream: turn % 2 === 0 };
      // Twice each, and new ones for ever: what one worker lacks is in the cache of blocks at times.
      await ask(onnx.platform.url, { ...body, prompt: `${client} ${turn >> 1} ${prompt}` });
      await ask(mock.platform.url, body, mock.operatorKey);
      await ask(mock.platform.url, body, mock.limitedKey);
      await ask(mock.platform.url, body, mock.operatorKey, { 'x-slo-ttft-ms': '1' });
      await ask(mock.platform.url, body, 'nobody');
      await leave(mock.platform.url, { ...body, max_tokens: 200, stream: true }, mock.operatorKey).catch(() => {});
    }
  }
}

const requestOf = (body: object, key = 'none', headers: Readonly<Record<string, string>> = {}) => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
});

/** Whatever comes of it: a gateway or worker may be killed meanwhile. */
async function ask(url: string, body: object, key?: string, headers?: Readonly<Record<string, string>>): Promise<void> {
  await fetch(`${url}/v1/completions`, requestOf(body, key, headers))
    .then((response) => response.text())
    .catch(() => {});
}

/** Goes away after the first bytes. Rejects when there are none. */
async function leave(url: string, body: object, key: string): Promise<void> {
  const gone = new AbortController();
  const response = await fetch(`${url}/v1/completions`, { ...requestOf(body, key), signal: gone.signal });
  await response.body?.getReader().read();
  gone.abort();
}

let load: Load;
beforeAll(async () => {
  [mock, onnx] = await Promise.all([startMockPlatform(closers), startOnnxPlatform(closers, 'round-robin')]);
  prometheus = await RunningPrometheus.start([mock.targetsFile, onnx.targetsFile], mock.operatorKey);
  closers.push(() => prometheus.stop());
  load = new Load();
  closers.push(() => load.stop());
  // A worker dies under load: the leases on it end, and it comes back at another port.
  const placed = () => prometheus.range('sum(hydra_scheduler_leases{worker="worker-1"}) > 0');
  await eventually(async () => (await placed()).length > 0 || undefined, WITHIN_MS);
  process.kill(pidOf(mock.platform, 'worker-1'), 'SIGKILL');
});
afterAll(async () => {
  for (const close of closers.toReversed()) await close();
});

const hasNumber = async (query: string) =>
  (await prometheus.range(query)).some(({ values }) => values.some(([, value]) => Number.isFinite(Number(value))));

it('given the files that hydra up leaves, when scraped, then every app of both platforms is up', async () => {
  const apps = async () => (await prometheus.range('up{job="hydraserve"} == 1')).map(({ metric }) => metric['app']);
  const wanted = [
    'gateway',
    'gateway',
    'scheduler',
    'scheduler',
    'worker-0',
    'worker-0',
    'worker-1',
    'worker-1',
    'kvcache',
  ];
  await eventually(async () => (await apps()).length >= wanted.length || undefined, WITHIN_MS);
  expect(new Set(await apps())).toEqual(new Set(wanted));
});

it('given load, when rules are evaluated, then every recording rule has a number', async () => {
  for (const { record = '' } of rulesOf('recording.yaml')) {
    await eventually(async () => (await hasNumber(record)) || undefined, WITHIN_MS).catch(() => {
      throw new Error(`${record} has no data`);
    });
  }
});

describe.each(NAMES)('the dashboard %s', (name) => {
  const board = boardOf(name);
  const variables = (board.templating?.list ?? []).filter(({ type }) => type === 'query');

  it('given its variables, when asked for, then there is something to choose', async () => {
    for (const { query } of variables) {
      const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(String(query)) ?? [];
      const values = async () => (await prometheus.labelValues(label, metric)).length > 0 || undefined;
      await eventually(values, WITHIN_MS);
    }
  });

  it.each(panelsOf(board))(
    'given the panel $title, when queried under load, then there is a number',
    async ({ queries }) => {
      for (const query of queries) {
        const filled = filledIn(query);
        await eventually(async () => (await hasNumber(filled)) || undefined, WITHIN_MS).catch((cause) => {
          throw new Error(`no data: ${filled}`, { cause });
        });
      }
    },
  );
});

/** As Grafana does when all values of all variables are chosen. */
function filledIn(query: string): string {
  return query
    .replaceAll('$__rate_interval', '30s')
    .replaceAll('$__range', '5m')
    .replaceAll(/\$(model|worker|tenant)\b/g, '.*');
}
