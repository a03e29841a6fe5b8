import { readdirSync, readFileSync } from 'node:fs';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { type ObservedPlatform, startOnnxPlatform } from './support/observed-platforms.js';
import { RunningPrometheus } from './support/prometheus.js';

/** Of each kind of trace. */
const REQUESTS = 6;
const WITHIN_MS = 60_000;

/** Those that every answered completion is counted in. */
const HISTOGRAMS = [
  'gen_ai_server_request_duration_seconds',
  'gen_ai_server_time_per_output_token_seconds',
  'gen_ai_server_time_to_first_token_seconds',
  'hydra_gateway_inter_token_latency_seconds',
  'hydra_gateway_placement_wait_seconds',
  'hydra_gateway_request_duration_seconds',
  'hydra_gateway_time_to_first_token_seconds',
  'hydra_scheduler_actual_ttft_seconds',
  'hydra_scheduler_decision_seconds',
  'hydra_scheduler_predicted_ttft_seconds',
  'hydra_scheduler_ttft_prediction_ratio',
  'hydra_scheduler_wait_seconds',
  'hydra_worker_generation_seconds',
  'hydra_worker_inter_token_latency_seconds',
  'hydra_worker_queue_seconds',
  'hydra_worker_time_to_first_token_seconds',
  'vllm:e2e_request_latency_seconds',
  'vllm:inter_token_latency_seconds',
  'vllm:request_queue_time_seconds',
  'vllm:time_to_first_token_seconds',
];

const closers: (() => Promise<unknown>)[] = [];
let observed: ObservedPlatform;
let prometheus: RunningPrometheus;
const sampled = new Set<string>();
const all = new Set<string>();

/** One streamed completion in a trace of the client's. */
async function ask(isSampled: boolean): Promise<void> {
  const traceId = (all.size + 1).toString(16).padStart(32, 'e');
  all.add(traceId);
  if (isSampled) sampled.add(traceId);
  const response = await fetch(`${observed.platform.url}/v1/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      traceparent: `00-${traceId}-00f067aa0ba902b7-${isSampled ? '01' : '00'}`,
    },
    body: JSON.stringify({
      model: 'default',
      prompt: `${all.size} ${'a b c '.repeat(12)}`,
      max_tokens: 8,
      stream: true,
      ignore_eos: true,
    }),
  });
  expect(response.status, await response.text()).toBe(200);
}

beforeAll(async () => {
  observed = await startOnnxPlatform(closers, 'predicted-ttft');
  prometheus = await RunningPrometheus.start([observed.targetsFile], 'none');
  closers.push(() => prometheus.stop());
  // Alternating at each of the two workers, so that what is not sampled would take the places of what is.
  for (let turn = 0; turn < REQUESTS; turn += 2) {
    for (const isSampled of [true, false, false, true]) await ask(isSampled);
  }
});
afterAll(async () => {
  for (const close of closers.toReversed()) await close();
});

it.each(HISTOGRAMS)(
  'given requests of sampled traces and of others, when %s is asked for exemplars, then they are of sampled traces alone',
  async (name) => {
    const found = async () => {
      const exemplars = await prometheus.exemplars(`${name}_bucket`);
      return exemplars.length > 0 ? exemplars : undefined;
    };
    for (const { labels, value } of await eventually(found, WITHIN_MS)) {
      expect([...sampled]).toContain(labels['trace_id']);
      expect(Number(value)).toBeGreaterThanOrEqual(0);
    }
  },
);

it('given an exemplar, when its trace is asked for, then the gateway tells the story of its request', async () => {
  const [{ labels } = { labels: {} as Record<string, string> }] = await prometheus.exemplars(
    'hydra_gateway_time_to_first_token_seconds_bucket',
  );
  const response = await fetch(`${observed.platform.url}/v1/admin/traces/${labels['trace_id']}`);
  expect(response.status).toBe(200);
  expect(await response.text()).toContain(labels['trace_id']);
});

it('given the panels that draw exemplars, when their queries are asked for them, then each has some', async () => {
  const folder = new URL('../../grafana/dashboards/', import.meta.url);
  const boards = readdirSync(folder).map(
    (file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Dashboard,
  );
  const queries = boards
    .flatMap(({ panels = [] }) => panels)
    .flatMap((panel) => ('targets' in panel ? (panel.targets as Dataquery[]) : []))
    .filter(({ exemplar }) => exemplar);
  expect(queries.length).toBeGreaterThan(8);
  for (const { expr } of queries) {
    const query = expr.replaceAll('$__rate_interval', '30s').replaceAll(/\$(model|worker)/g, '.*');
    expect(await prometheus.exemplars(query), query).not.toEqual([]);
  }
});
