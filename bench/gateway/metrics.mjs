/**
 * What counting a value costs, as prom-client does it and as the gateway does: `node bench/gateway/metrics.mjs`, after a build.
 */
import {
  histogramWithExemplars,
  LATENCY_BUCKETS_SECONDS,
  NO_EXEMPLAR,
  observe,
  SeriesCounter,
} from '#lib/observability';
import { quantile } from '../engine/statistics.mjs';

const TIMES = 300_000;
const ROUNDS = 9;

const options = { help: 'Some.', buckets: LATENCY_BUCKETS_SECONDS };
const gaps = histogramWithExemplars({ ...options, name: 'gap_seconds', labelNames: ['model'] });
const ended = histogramWithExemplars({
  ...options,
  name: 'ended_seconds',
  labelNames: ['operation', 'provider', 'model', 'error'],
});
const requests = new SeriesCounter('requests_total', 'Some.', ['route', 'status', 'code']);

const secondsOf = (index) => 0.009 + (index % 100) / 10_000;
const model = () => ({ model: 'bench-model' });
const operation = () => ({ operation: 'text_completion', provider: 'hydraserve', model: 'bench-model' });
const answer = () => ({ route: '/v1/completions', status: '200', code: 'ok' });
const theirs = (histogram, labels, value) => histogram.observe({ labels, value, exemplarLabels: NO_EXEMPLAR });

const WAYS = {
  'histogram of one label': [
    (i) => theirs(gaps, model(), secondsOf(i)),
    (i) => observe(gaps, model(), secondsOf(i), NO_EXEMPLAR),
  ],
  'histogram of four labels': [
    (i) => theirs(ended, operation(), secondsOf(i)),
    (i) => observe(ended, operation(), secondsOf(i), NO_EXEMPLAR),
  ],
  'counter of three labels': [() => requests.inc(answer(), 1), () => requests.add(answer(), 1)],
};

for (const [name, ways] of Object.entries(WAYS)) {
  const rounds = Array.from({ length: ROUNDS }, () => ways.map(nanosecondsOf));
  const [before, now] = ways.map((_, way) =>
    quantile(
      rounds.map((round) => round[way]),
      0.5,
    ).toFixed(0),
  );
  console.log(`${name.padEnd(26)} prom-client ${before} ns, ours ${now} ns`);
}

/** Processor time of one, the process's other threads with it. */
function nanosecondsOf(work) {
  const before = process.cpuUsage();
  for (let i = 0; i < TIMES; i++) work(i);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / TIMES;
}
