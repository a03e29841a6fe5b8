/**
 * What records and traces cost a gateway, in CPU time per request: three gateways of one platform on the measured core, in turns.
 * node bench/gateway/tracing.mjs   (a minute and a half; the machine must have nothing else to do)
 */
import { createServer } from 'node:http';
import { cpus, loadavg } from 'node:os';
import { quantile } from '../engine/statistics.mjs';
import { pinning } from './cores.mjs';
import { Load } from './load.mjs';
import { AT_ONCE, cpuPerThousand, loadSettings } from './load-cases.mjs';
import { startPlatform } from './platform.mjs';

const ROUNDS = 6;
const CONCURRENCY = 64;

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
process.setMaxListeners(0); // one for each child that is to end with this process

let receivedBytes = 0;
const collector = createServer((request, response) => {
  request.on('data', (chunk) => {
    receivedBytes += chunk.length;
  });
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
});
await new Promise((resolve) => collector.listen(0, '127.0.0.1', resolve));

const SETTINGS = {
  nothing: { HYDRA_RECORDER_BYTES: '0' },
  recorder: {},
  'recorder and 1 % sampled': {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.address().port}`,
    OTEL_TRACES_SAMPLER_ARG: '0.01',
  },
};
const names = Object.keys(SETTINGS);

const platform = await startPlatform({
  mocks: Array(4).fill(AT_ONCE),
  gateways: Object.values(SETTINGS).map((env) => ({ env })),
});
const load = new Load();
const milliseconds = Object.fromEntries(names.map((name) => [name, []]));
try {
  for (let round = 0; round <= ROUNDS; round++) {
    const order = round % 2 === 0 ? names : [...names].reverse();
    for (const name of order) {
      const gateway = names.indexOf(name);
      const result = await load.run('closedLoop', {
        ports: [platform.ports[gateway]],
        path: '/v1/completions',
        headers: platform.headers,
        ...loadSettings({ concurrency: CONCURRENCY, stream: false }),
        ...{ warmUpMs: round === 0 ? 7_000 : 300, measureMs: round === 0 ? 100 : 2_500 },
        pids: [platform.pids[gateway]],
      });
      if (round > 0) milliseconds[name].push(cpuPerThousand(result));
    }
  }
} finally {
  load.stop();
  await platform.stop();
  collector.close();
}

const [base] = names;
const against = (name) => milliseconds[name].map((value, i) => (value / milliseconds[base][i] - 1) * 100);
console.log(
  JSON.stringify(
    {
      date: new Date().toISOString(),
      machine: { cpu: cpus()[0]?.model.trim(), cores: cpus().length, pinning, load: loadavg()[0] },
      rounds: ROUNDS,
      collectorBytes: receivedBytes,
      cpuSecondsPer1000: Object.fromEntries(names.map((name) => [name, quantile(milliseconds[name], 0.5)])),
      percentMore: Object.fromEntries(
        names.slice(1).map((name) => {
          const percents = against(name);
          return [name, { median: quantile(percents, 0.5), least: Math.min(...percents), most: Math.max(...percents) }];
        }),
      ),
    },
    null,
    2,
  ),
);
process.exit(0);
