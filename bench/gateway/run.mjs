/**
 * `make bench-gateway`: what the gateway costs, alone on a core, with keys, limits and placement on; mock workers, scheduler and
 * load in other processes. What is measured and how: docs/benchmarks.md.
 */
import { cpus, loadavg } from 'node:os';
import { quantile } from '../engine/statistics.mjs';
import { pinning } from './cores.mjs';
import { AT_ONCE, cpuPerMillionEvents, cpuPerThousand, measure, PACED, twoAgainstOne } from './load-cases.mjs';
import { parseOptions } from './options.mjs';
import { measurePeer } from './peer-cases.mjs';
import { PEERS } from './peers.mjs';
import { clientGone, idleStreams, longPrompts, slowReaders } from './stream-cases.mjs';
import { reportAsText } from './tables.mjs';
import { writeDocs } from './write-docs.mjs';

const say = (line) => process.stderr.write(`${line}\n`);
// Without a handler a signal would leave the processes behind.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
process.setMaxListeners(0); // one for each child that is to end with this process

const options = optionsOrEnd();
if (options.usage !== undefined) console.log(options.usage);
else await bench(options);

async function bench({ isWanted, isWhole, json, docs }) {
  const report = {
    runs: [
      {
        date: new Date().toISOString(),
        command: ['npm run --silent bench:gateway --', ...process.argv.slice(2)].join(' '),
        loadAverage: loadavg(),
      },
    ],
    machine: { cpu: cpus()[0]?.model.trim() ?? 'unknown', cores: cpus().length, pinning },
    versions: { node: process.version },
    hydra: {},
    peers: {},
    failures: [],
  };
  const { hydra } = report;
  const take = async (name, measureCase) => {
    if (!isWanted(name)) return;
    say(`Measuring ${name} ...`);
    try {
      await measureCase();
    } catch (error) {
      // The other figures are worth having all the same.
      say(error.stack);
      const [what] = error.message.split('\n'); // a child's stack follows
      report.failures.push(`${name} is not measured: ${what}`);
    }
  };
  await take('plain', async () => {
    const load = await measure({ mock: AT_ONCE, concurrency: 64, stream: false });
    hydra['plain.64'] = { value: cpuPerThousand(load), load };
  });
  await take('paced', async () => {
    const load = await measure({ mock: PACED, concurrency: 64, stream: true });
    hydra['paced.64'] = { value: cpuPerMillionEvents(load), load };
    hydra['ttft-p50.64'] = { value: load.ttftMs.p50 - load.directTtftMs.p50 };
    hydra['ttft-p99.64'] = { value: load.ttftMs.p99 - load.directTtftMs.p99 };
  });
  await take('paced-many', async () => {
    const load = await measure({ mock: PACED, concurrency: 256, stream: true });
    hydra['paced.256'] = { value: cpuPerMillionEvents(load), load };
  });
  await take('flood', async () => {
    const load = await measure({ mock: AT_ONCE, concurrency: 64, stream: true });
    hydra['flood.64'] = { value: cpuPerMillionEvents(load), load };
  });
  await take('slow-reader', async () => {
    hydra['slow-reader'] = await slowReaders();
  });
  await take('client-gone', async () => {
    hydra['client-gone'] = await clientGone();
  });
  await take('idle-streams', async () => {
    hydra['idle-streams'] = await idleStreams();
  });
  await take('long-prompt', async () => {
    hydra['long-prompt'] = await longPrompts();
  });
  await take('two-gateways', async () => {
    const ratios = await twoAgainstOne();
    hydra['two-gateways'] = { value: quantile(ratios, 0.5), ratios };
  });
  for (const name of Object.keys(PEERS)) {
    await take(name, async () => {
      report.peers[name] = await measurePeer(name);
    });
  }
  report.runs[0].rows = [...Object.keys(hydra), ...Object.keys(report.peers)];
  if (docs !== undefined) writeDocs(report, docs, { isWhole });
  console.log(json ? JSON.stringify(report, null, 2) : reportAsText(report));
  process.exit(report.failures.length === 0 ? 0 : 1);
}

function optionsOrEnd() {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    say(`${error.message} --help says more.`);
    return process.exit(1);
  }
}
