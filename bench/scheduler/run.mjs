/** `make bench-scheduler`: the scheduler by itself, under load and in the platform. `--help` says what can be asked for. */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { measureChats } from './chats.mjs';
import { measureFleet } from './fleet-load.mjs';
import { inSchedulerProcess } from './in-scheduler-process.mjs';
import { measureOverload } from './overload.mjs';
import { rowsOf } from './rows.mjs';

const USAGE = `Usage: node bench/scheduler/run.mjs [options]

  --only <parts>         of index, fleet, overload, chats; separated by commas (default: all)
  --seconds <count>      how long fleet and overload are loaded (default: 20 and 60)
  --strategies <names>   whom chats compare, separated by commas (default: round-robin,predicted-ttft)
  --json                 all figures as one JSON object at the end, instead of rows as they come
  --help                 this`;

const PARTS = {
  index: () => inSchedulerProcess('index-decisions.mjs', 'measureDecisions', { blocks: 10_000_000, decisions: 20_000 }),
  fleet: ({ seconds = 20 }) => measureFleet({ seconds }),
  overload: ({ seconds = 60 }) => measureOverload({ seconds }),
  chats: async ({ strategies }) => {
    const measured = [];
    for (const strategy of strategies) measured.push(await measureChats(strategy));
    return measured;
  },
};

const options = optionsOf(process.argv.slice(2));
if (options === undefined) console.log(USAGE);
else await bench(options);

async function bench({ names, json, ...about }) {
  const report = { date: new Date().toISOString(), processor: cpus()[0]?.model, loadAverage: loadavg()[0] };
  if (!json) console.log(`${report.date}  ${report.processor}, load ${report.loadAverage.toFixed(2)}`);
  for (const name of names) {
    report[name] = await PARTS[name](about);
    if (!json) for (const row of rowsOf(name, report[name])) console.log(row);
  }
  if (json) console.log(JSON.stringify(report, null, 2));
}

/** @returns undefined when help is wanted; ends the process for what is not understood */
function optionsOf(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        only: { type: 'string', default: Object.keys(PARTS).join() },
        seconds: { type: 'string' },
        strategies: { type: 'string', default: 'round-robin,predicted-ttft' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return undefined;
    const names = values.only.split(',');
    const unknown = names.find((name) => !Object.hasOwn(PARTS, name));
    if (unknown !== undefined) throw new Error(`--only knows ${Object.keys(PARTS).join(', ')}, not ${unknown}`);
    const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
    if (seconds !== undefined && !(seconds >= 5)) throw new Error('--seconds takes a number from 5 on');
    return { names, json: values.json, seconds, strategies: values.strategies.split(',') };
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(1);
  }
}
