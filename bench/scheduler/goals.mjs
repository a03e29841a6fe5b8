/** What placement and retention are to reach in the simulator, cell by cell. `--help` says what can be asked for. */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { GOALS, nameOf, TRACES } from './goal-groups.mjs';

const USAGE = `Usage: node bench/scheduler/goals.mjs --traces <folder> [--only <text>] [--jobs <number>] [groups]

  groups             of ${Object.keys(GOALS).join(', ')} (default: all). A run takes 5 to 15 s of an idle core;
                     ${Object.entries(GOALS)
                       .map(([group, cells]) => `${group} ${cells.flatMap(({ runs }) => runs).length}`)
                       .join(', ')}
  --only <text>      cells whose names have it, for example "synthetic, W 4"
  --jobs <number>    runs at once (default: one for each core)
  --traces <folder>  with ${Object.values(TRACES)
    .map(({ file }) => file)
    .join(', ')}
  --help             this

Prints each figure with its goal, and whether it is reached, as soon as it and those before it are known. Ends with 1 when one is missed.`;

const { folder, groups, only, jobs } = optionsOf(process.argv.slice(2));
const asked = groups.flatMap((group) =>
  GOALS[group].filter(({ cell }) => nameOf(cell).includes(only)).map((cell) => ({ group, ...cell })),
);
const runs = new Map(asked.flatMap((cell) => cell.runs).map((run) => [keyOf(run), run]));
const results = startAll(runs);
let missed = 0;
for (const { group, runs: needed, rows } of asked) {
  for (const { what, figure, goal, isReached } of rows(
    await Promise.all(needed.map((run) => results.get(keyOf(run)))),
  )) {
    if (!isReached) missed++;
    const outcome = goal === undefined ? '' : `${goal}  ${isReached ? 'reached' : 'MISSED'}`;
    console.log(`${group.padEnd(10)} ${what.padEnd(44)} ${figure.padEnd(30)} ${outcome}`);
  }
}
console.log(missed === 0 ? 'all reached' : `${missed} missed`);
process.exitCode = missed === 0 ? 0 : 1;

/** Begins the runs in their order, as many at once as there are threads. @returns their results to come, by key */
function startAll(wanted) {
  const waiting = [...wanted].map(([key, run]) => ({ key, run, ...Promise.withResolvers() }));
  const promises = new Map(waiting.map(({ key, promise }) => [key, promise]));
  for (let job = 0; job < Math.min(jobs, wanted.size); job++) void work(waiting);
  return promises;
}

async function work(waiting) {
  const thread = new Worker(new URL('./goal-run.mjs', import.meta.url), { workerData: { folder } });
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    try {
      thread.postMessage(next.run);
      next.resolve((await once(thread, 'message'))[0]); // rejects when the thread fails
    } catch (error) {
      next.reject(error);
      return;
    }
  }
  await thread.terminate();
}

function keyOf(run) {
  return JSON.stringify(run);
}

function optionsOf(args) {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: {
        traces: { type: 'string' },
        only: { type: 'string', default: '' },
        jobs: { type: 'string', default: String(availableParallelism()) },
        help: { type: 'boolean', default: false },
      },
      allowPositionals: true,
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const unknown = positionals.find((name) => !Object.hasOwn(GOALS, name));
    if (unknown !== undefined) throw new Error(`there is no group "${unknown}"`);
    if (values.traces === undefined) throw new Error('--traces is missing');
    const jobs = Number(values.jobs);
    if (!Number.isInteger(jobs) || jobs < 1) throw new Error('--jobs is a whole number, at least 1');
    const groups = positionals.length === 0 ? Object.keys(GOALS) : positionals;
    return { folder: values.traces, only: values.only, groups, jobs };
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(1);
  }
}
