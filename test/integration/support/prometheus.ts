import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { RULES } from '../../support/alert-rules.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';

/** Seconds between two scrapes, and two evaluations of the rules. */
const INTERVAL_S = 1;

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** Numbers as text, which may be `NaN`. */
  readonly values: readonly (readonly [number, string])[];
}

export interface Exemplar {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
}

/** A Prometheus of its own with our rules, on loopback. */
export class RunningPrometheus {
  private constructor(
    readonly url: string,
    readonly stop: () => Promise<void>,
  ) {}

  /**
   * @param targetFiles  of `file_sd_configs`
   * @param key          sent to every target
   */
  static async start(targetFiles: readonly string[], key: string): Promise<RunningPrometheus> {
    const binary = process.env['HYDRA_TEST_PROMETHEUS'];
    if (!binary) throw new Error('HYDRA_TEST_PROMETHEUS is not set: run `make test-integration`');
    const folder = mkdtempSync(join(tmpdir(), 'hydra-prometheus-'));
    const config = {
      global: {
        scrape_interval: `${INTERVAL_S}s`,
        scrape_timeout: `${INTERVAL_S}s`,
        evaluation_interval: `${INTERVAL_S}s`,
      },
      rule_files: [`${RULES}*.yaml`],
      scrape_configs: [
        {
          job_name: 'hydraserve',
          authorization: { credentials: key },
          file_sd_configs: [{ files: targetFiles, refresh_interval: `${INTERVAL_S}s` }],
        },
      ],
    };
    writeFileSync(join(folder, 'prometheus.yaml'), stringify(config));
    const url = `http://127.0.0.1:${await freePort()}`;
    const child = spawn(
      binary,
      [
        `--config.file=${join(folder, 'prometheus.yaml')}`,
        '--enable-feature=exemplar-storage',
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${url.slice('http://'.length)}`,
        '--log.level=warn',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const exited = once(child, 'exit');
    const stop = async () => {
      child.kill('SIGTERM');
      await exited;
    };
    const isReady = async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok || undefined;
    await eventually(isReady, 60_000);
    return new RunningPrometheus(url, stop);
  }

  /**
   * What a panel would draw of the last minute.
   * @throws Error with what Prometheus says of a query that it does not take
   */
  async range(query: string): Promise<Series[]> {
    const end = Date.now() / 1_000;
    const answer = await this.get('query_range', { query, start: String(end - 60), end: String(end), step: '5' });
    return (answer as { result: Series[] }).result;
  }

  /** Of the last five minutes, of the series that a query names. */
  async exemplars(query: string): Promise<Exemplar[]> {
    const end = Date.now() / 1_000;
    const answer = await this.get('query_exemplars', { query, start: String(end - 300), end: String(end) });
    return (answer as { exemplars: Exemplar[] }[]).flatMap(({ exemplars }) => exemplars);
  }

  /** Values of a label of a metric. */
  async labelValues(label: string, metric: string): Promise<string[]> {
    return (await this.get(`label/${label}/values`, { 'match[]': metric })) as string[];
  }

  private async get(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const body = (await response.json()) as { status: string; error?: string; data: unknown };
    if (body.status !== 'success') throw new Error(`${body.error} in ${JSON.stringify(parameters)}`);
    return body.data;
  }
}
