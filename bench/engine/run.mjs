/**
 * `make bench-engine`: the embedded engine against its peers with the same weights and threads and against the speed of memory,
 * through the gateway against alone, JavaScript's share of a step, a worker's memory, and running streams beside long prompts. What is measured and how:
 * docs/benchmarks.md.
 */
import { loadavg } from 'node:os';
import { basename } from 'node:path';
import { installPeer } from '../node-llama-cpp/install.mjs';
import { GATEWAY_CASE, JAVASCRIPT_CASE, MEMORY_CASE, MIXED_CASE } from './cases.mjs';
import { AS_STARTED, describeHydra, ONE_COPY, startHydra, startLlamaCpp } from './engines.mjs';
import { gatewayRates } from './gateway.mjs';
import { javascriptShares } from './javascript-shares.mjs';
import { measurer } from './measure.mjs';
import { parseOptions } from './options.mjs';
import { fastestPeerSettings } from './peer-settings.mjs';
import { comparisonFigures, gatewayFigures, machineAndVersions, peerVersion } from './report.mjs';
import { mainCases, runRounds } from './rounds.mjs';
import { SidePairs } from './side-pairs.mjs';
import { reportAsText } from './tables.mjs';
import { workerMemory } from './worker-memory.mjs';
import { writeDocs } from './write-docs.mjs';

/** Three rounds take twelve minutes where nobody disturbs; from here on disturbed figures are not taken again. */
const RETAKES_MS = 8 * 60_000;
/** Something hangs: the whole is given up. Chosen; processes of the bench end with it. */
const RUN_LIMIT_MS = 60 * 60_000;

const say = (line) => process.stderr.write(`${line}\n`);
// Without a handler a signal would leave the platform's processes behind.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const options = optionsOrEnd();
if (options.usage !== undefined) console.log(options.usage);
else await bench(options);

async function bench({ rounds, isWanted, json, docs }) {
  setTimeout(() => giveUp(`The bench took longer than ${RUN_LIMIT_MS / 60_000} minutes.`), RUN_LIMIT_MS).unref();
  const loadAverage = loadavg();
  const cases = mainCases(isWanted);
  const needsLlamaCpp = cases.length > 0 || ['int8', 'w8a8', 'prefill-fp32'].some(isWanted);
  if (needsLlamaCpp) installPeer();
  say('Loading the model ...');
  const model = await describeHydra();
  const startMs = performance.now();
  const measure = measurer({ retakeUntilMs: startMs + RETAKES_MS });
  const report = {
    ...machineAndVersions(),
    command: ['npm run --silent bench:engine --', ...process.argv.slice(2)].join(' '),
    loadAverage,
    rounds,
    model: { id: model.modelId, weights: model.weights, gguf: model.ggufPath && basename(model.ggufPath) },
    threads: model.threads,
  };
  const peer = needsLlamaCpp ? await llamaCpp(model, measure) : undefined;
  const flashAttention = peer?.flashAttention;
  if (peer !== undefined) report.peer = peer;
  if (cases.length > 0) {
    const peerSettings = (kind) => ({ flashAttention: flashAttention[kind === 'prefill' ? 'prefill' : 'decode'] });
    const answers = new Map();
    const rates = cases.filter((one) => one !== MIXED_CASE);
    const mixed = cases.filter((one) => one === MIXED_CASE);
    for (const [those, env] of [
      [rates, ONE_COPY],
      [mixed, AS_STARTED],
    ]) {
      if (those.length === 0) continue;
      const start = { hydra: () => startHydra([], env), peer: () => startLlamaCpp(model) };
      const measured = await runRounds({ rounds, cases: those, start, peerSettings, measure, say });
      for (const [name, answer] of measured) answers.set(name, answer);
    }
    Object.assign(report, comparisonFigures(answers));
  }
  const side = new SidePairs({ rounds, model, flashAttention, measure, say });
  if (isWanted('int8')) await side.int8();
  if (isWanted('w8a8')) await side.w8a8();
  if (isWanted('prefill-fp32')) await side.prefillCopy();
  if (isWanted('genai')) await side.genai();
  const { pairs, bandwidth, notMeasured } = side;
  Object.assign(report, { pairs, bandwidth, notMeasured });
  if (isWanted(GATEWAY_CASE.name)) report.gateway = { 16: gatewayFigures(await gatewayRates({ rounds, say })) };
  if (isWanted(JAVASCRIPT_CASE.name)) report.javascriptShare = { 16: await javascriptShares({ measure, say }) };
  if (isWanted(MEMORY_CASE.name)) report.memory = await workerMemory(await describeHydra(AS_STARTED));
  report.minutes = (performance.now() - startMs) / 60_000;

  if (docs !== undefined) writeDocs(report, docs);
  console.log(json ? JSON.stringify(report, null, 2) : reportAsText(report));
}

/** What node-llama-cpp is, with its fastest settings. */
async function llamaCpp(model, measure) {
  if (model.ggufPath === undefined) {
    throw new Error('The first model of hydra.yaml is no GGUF file, which node-llama-cpp needs.');
  }
  say('Trying flash attention of node-llama-cpp ...');
  return { ...(await fastestPeerSettings(model, measure)), version: peerVersion() };
}

function optionsOrEnd() {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    return giveUp(`${error.message} --help says more.`);
  }
}

function giveUp(message) {
  say(message);
  process.exit(1);
}
