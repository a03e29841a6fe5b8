/**
 * `npm run --silent bench:sizes -- --shape 7b`: a model of known shapes with random weights, written, compiled and served on this
 * machine: memory and time of each, tokens per second, and how near they come to what memory bandwidth allows. Figures are of
 * this machine and minute.
 */
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { availableParallelism, freemem, loadavg, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readBandwidth } from './engine/read-bandwidth.mjs';
import { machineAndVersions } from './engine/report.mjs';
import { runMeasured } from './sizes/measured-process.mjs';
import { writeRandomCheckpoint } from './sizes/random-checkpoint.mjs';
import { printReport } from './sizes/report.mjs';
import { compiledBytesAtMost, SHAPES, sourceBytes } from './sizes/shapes.mjs';

const CLI = join(import.meta.dirname, '../dist/apps/cli/src/main.js');
const FORMS = ['int4', 'int8', 'fp32'];
const PARTS = ['prepare', 'measure'];
/** Beside weights and KV. */
const ROOM_BYTES = 1e9;
const USAGE = `npm run --silent bench:sizes -- [options]

  --shape NAME     one of ${Object.keys(SHAPES).join(', ')}; default 1b
  --weights FORM   ${FORMS.join(', ')}; default int4
  --kv-bytes N     memory for KV; default 2 GiB
  --part NAME      prepare (write and compile) or measure (what was prepared in --folder, for when the machine is quiet); default: both
  --folder PATH    keeps checkpoint and compiled model there, and finds them again; default: a temporary folder, removed at the end
  --json           print the report as JSON and nothing else
  --help           print this`;

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: '1b' },
    weights: { type: 'string', default: 'int4' },
    'kv-bytes': { type: 'string', default: String(2 * 2 ** 30) },
    part: { type: 'string' },
    folder: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(USAGE);
else await bench(values);

async function bench({ shape: shapeName, weights, part, folder: kept, json, 'kv-bytes': kvBytes }) {
  const shape = SHAPES[shapeName];
  if (shape === undefined || !FORMS.includes(weights)) {
    throw new RangeError(`There is no ${shapeName} in ${weights}.\n\n${USAGE}`);
  }
  if (part !== undefined && (!PARTS.includes(part) || kept === undefined)) {
    throw new RangeError(`--part is one of ${PARTS.join(', ')}, beside --folder.\n\n${USAGE}`);
  }
  const folder = kept === undefined ? mkdtempSync(join(tmpdir(), 'hydra-sizes-')) : resolve(kept);
  const removeFolder = () => kept === undefined && rmSync(folder, { recursive: true, force: true });
  process.once('exit', removeFolder);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  mkdirSync(folder, { recursive: true });
  const checkpoint = join(folder, shapeName);
  const env = {
    HYDRA_HOME: join(folder, 'home'),
    HYDRA_MODEL: checkpoint,
    HYDRA_WEIGHTS: weights,
    HYDRA_KV_BYTES: kvBytes,
    HYDRA_STEP_TIMEOUT_MS: '600000', // a machine that others use, too
  };
  const report = {
    ...machineAndVersions(),
    command: ['npm run --silent bench:sizes --', ...process.argv.slice(2)].join(' '),
    loadAverage: loadavg(),
    shape: shapeName,
    weights,
  };
  if (part !== 'measure') Object.assign(report, await prepare(checkpoint, shape, weights, env));
  if (part !== 'prepare') Object.assign(report, await measure(shape, weights, env));
  if (json) console.log(JSON.stringify(report, null, 2));
  else printReport(report);
  removeFolder();
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

async function prepare(checkpoint, shape, weights, env) {
  assertRoom(dirname(checkpoint), shape, weights);
  say(`Writing ${checkpoint} ...`);
  await writeRandomCheckpoint(checkpoint, shape, (done, total) => say(`  ${Math.round((100 * done) / total)} %`));
  say(`Compiling to ${weights} ...`);
  const { seconds, cpuSeconds, peakBytes } = await runMeasured([CLI, 'compile'], env);
  return { compile: { seconds, cpuSeconds, peakBytes } };
}

async function measure(shape, weights, env) {
  warnOfLittleMemory(compiledBytesAtMost(shape, weights) + Number(env.HYDRA_KV_BYTES) + ROOM_BYTES);
  say('Measuring memory bandwidth ...');
  const bandwidth = await readBandwidth(availableParallelism());
  say('Serving ...');
  const engine = await runMeasured([join(import.meta.dirname, 'sizes/engine-figures.mjs')], env);
  const gateway = await runMeasured([join(import.meta.dirname, 'sizes/gateway-answer.mjs')], env);
  return {
    bandwidthBytesPerSecond: bandwidth,
    ...JSON.parse(engine.output),
    gateway: JSON.parse(gateway.output),
  };
}

/** Says early what would fail late. */
function assertRoom(folder, shape, weights) {
  const { bavail, bsize } = statfsSync(folder);
  const neededBytes = sourceBytes(shape) + compiledBytesAtMost(shape, weights);
  if (bavail * bsize < neededBytes) {
    throw new Error(
      `${folder} needs room for ${(neededBytes / 1e9).toFixed(1)} GB and has ${((bavail * bsize) / 1e9).toFixed(1)}.`,
    );
  }
}

function warnOfLittleMemory(neededBytes) {
  if (freemem() >= neededBytes) return;
  say(
    `Serving takes up to ${(neededBytes / 1e9).toFixed(1)} GB of memory, and ${(freemem() / 1e9).toFixed(1)} are free.`,
  );
}
