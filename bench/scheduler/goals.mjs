/** What placement and retention are to reach in the simulator, cell by cell. `--help` says what can be asked for. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createStrategy, DEFAULT_STRATEGY_OPTIONS } from '#lib/placement';
import { H100_8B, scaleTrace, simulate } from '#lib/simulator';
import { readTrace } from '../../dist/apps/cli/src/simulate/read-inputs.js';
import { GOALS, TRACES } from './goal-groups.mjs';

const USAGE = `Usage: node bench/scheduler/goals.mjs --traces <folder> [groups]

  groups             of ${Object.keys(GOALS).join(', ')} (default: all; a minute to five each)
  --traces <folder>  with ${Object.values(TRACES)
    .map(({ file }) => file)
    .join(', ')}
  --help             this

Prints each figure with its goal, and whether it is reached. Ends with 1 when one is missed.`;

const { folder, groups } = optionsOf(process.argv.slice(2));
const read = new Map();
let missed = 0;
for (const group of groups) {
  for await (const { what, figure, goal, isReached } of GOALS[group](run)) {
    if (!isReached) missed++;
    const outcome = goal === undefined ? '' : `${goal}  ${isReached ? 'reached' : 'MISSED'}`;
    console.log(`${group.padEnd(10)} ${what.padEnd(44)} ${figure.padEnd(30)} ${outcome}`);
  }
}
console.log(missed === 0 ? 'all reached' : `${missed} missed`);
process.exitCode = missed === 0 ? 0 : 1;

/** One simulation. @returns its figures, as `hydra simulate --json` prints them */
async function run({ trace, workers, copies, speedup, kvBlocks = H100_8B.kvBlocks, ...about }) {
  const { order = 'fifo', eviction = 'lru', strategy = 'predicted-ttft' } = about;
  const { file, format } = TRACES[trace];
  if (!read.has(trace)) read.set(trace, await readTrace(join(folder, file), format, H100_8B.blockTokens));
  return simulate({
    trace: scaleTrace(read.get(trace), copies, speedup),
    strategy: createStrategy(strategy, DEFAULT_STRATEGY_OPTIONS),
    model: { ...H100_8B, kvBlocks },
    clockUs: () => performance.now() * 1_000,
    ...{ workers, order, eviction, seed: 1 },
  }).result;
}

function optionsOf(args) {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: { traces: { type: 'string' }, help: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const unknown = positionals.find((name) => !Object.hasOwn(GOALS, name));
    if (unknown !== undefined) throw new Error(`there is no group "${unknown}"`);
    if (values.traces === undefined) throw new Error('--traces is missing');
    return { folder: values.traces, groups: positionals.length === 0 ? Object.keys(GOALS) : positionals };
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(1);
  }
}
