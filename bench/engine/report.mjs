import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, type } from 'node:os';
import { RATE_CASES } from './cases.mjs';
import { median, pairedRatio, spread } from './statistics.mjs';

const versionOf = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version;

export function machineAndVersions() {
  return {
    date: new Date().toISOString(),
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, system: `${type()} ${release()}` },
    versions: {
      hydraserve: versionOf('../../package.json'),
      commit: commit(),
      node: process.version,
      onnxruntimeNode: versionOf('../../node_modules/onnxruntime-node/package.json'),
    },
  };
}

/** With `-dirty` where files differ from it; nothing outside of a repository. */
function commit() {
  const args = ['describe', '--always', '--dirty', '--exclude=*'];
  const { status, stdout } = spawnSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

export const peerVersion = () => versionOf('../node-llama-cpp/node_modules/node-llama-cpp/package.json');

/**
 * @param {Map<string, {hydra: object[], peer: object[]}>} answers  of `runRounds`
 * @returns {{decode: object, prefill: object, mixed?: object}} figures by case
 */
export function comparisonFigures(answers) {
  const report = { decode: {}, prefill: {} };
  for (const { name, kind } of RATE_CASES) {
    const answer = answers.get(name);
    if (answer !== undefined) report[kind][name.split('.')[1]] = rateFigures(answer);
  }
  const mixed = answers.get('mixed');
  if (mixed !== undefined) report.mixed = mixedComparison(mixed);
  return report;
}

function mixedComparison({ hydra, peer }) {
  const totals = (answers) => answers.map(({ mixed }) => mixed.outputTokensPerSecond + mixed.promptTokensPerSecond);
  return {
    hydra: mixedFigures(hydra),
    nodeLlamaCpp: mixedFigures(peer),
    totalRatio: pairedRatio(totals(hydra), totals(peer)),
  };
}

/** @param {{hydra: object[], peer: object[]}} answers  one of each per round */
export function rateFigures({ hydra, peer }) {
  const [ours, theirs] = [hydra, peer].map((answers) => answers.map(({ tokensPerSecond }) => tokensPerSecond));
  return {
    hydra: spread(ours),
    peer: spread(theirs),
    ratio: pairedRatio(ours, theirs),
    ...rowsPerBatch(peer),
    disturbedShare: Math.max(...[...hydra, ...peer].map(({ disturbedShare }) => disturbedShare)),
  };
}

/** How well the peer's steps were filled; absent for prompts. */
function rowsPerBatch(answers) {
  const rows = answers.flatMap((answer) => answer.rowsPerBatch ?? []);
  return rows.length === 0 ? {} : { rowsPerBatch: median(rows) };
}

function mixedFigures(answers) {
  const phase = (name) => {
    const of = (field) => median(answers.map((answer) => answer[name][field]));
    return {
      itlP50Ms: of('p50Ms'),
      itlP99Ms: of('p99Ms'),
      outputTokensPerSecond: of('outputTokensPerSecond'),
      promptTokensPerSecond: of('promptTokensPerSecond'),
      tokensPerSecond: median(
        answers.map((answer) => answer[name].outputTokensPerSecond + answer[name].promptTokensPerSecond),
      ),
    };
  };
  return {
    alone: phase('alone'),
    mixed: phase('mixed'),
    itlP99Ratio: median(answers.map(({ alone, mixed }) => mixed.p99Ms / alone.p99Ms)),
    disturbedShare: Math.max(...answers.map(({ disturbedShare }) => disturbedShare)),
  };
}

/**
 * @param {number} tokensPerSecond  of one row
 * @param {number} bytesPerStep  that each of them must read
 * @param {readonly number[]} looks  bytes per second that memory gave; the most counts, the others were disturbed
 */
export function bandwidthFigures(tokensPerSecond, bytesPerStep, looks) {
  const bytesPerSecond = Math.max(...looks);
  return {
    tokensPerSecond,
    bytesPerStep,
    bytesPerSecond,
    looks,
    share: (tokensPerSecond * bytesPerStep) / bytesPerSecond,
  };
}

export function gatewayFigures({ through, alone }) {
  return { tokensPerSecond: spread(through), engineAlone: spread(alone), share: pairedRatio(through, alone) };
}
