/**
 * `make bench-scheduler`: the scheduler by itself, under load and in the platform. `--json` prints the figures; `--only a,b` measures some of
 * index, fleet, overload, chats.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { measureChats } from './chats.mjs';
import { measureFleet } from './fleet-load.mjs';
import { measureDecisions } from './index-decisions.mjs';
import { measureOverload } from './overload.mjs';

const PARTS = {
  index: async () => measureDecisions({ blocks: 10_000_000, decisions: 20_000 }),
  fleet: () => measureFleet({ seconds: 20 }),
  overload: () => measureOverload({ seconds: 60 }),
  chats: async () => [await measureChats('round-robin'), await measureChats('predicted-ttft')],
};

const { values } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' } } });
const names = values.only?.split(',') ?? Object.keys(PARTS);
const unknown = names.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined) throw new Error(`--only knows ${Object.keys(PARTS).join(', ')}, not ${unknown}`);

const report = { date: new Date().toISOString(), processor: cpus()[0]?.model, loadAverage: loadavg()[0] };
for (const name of names) report[name] = await PARTS[name]();
if (values.json) console.log(JSON.stringify(report, null, 2));
else print(report);

function print({ date, processor, loadAverage, index, fleet, overload, chats }) {
  console.log(`${date}  ${processor}, load ${loadAverage.toFixed(2)}`);
  if (index !== undefined) {
    const { blocks, tableBytes, residentBytes, placeUs, decisionsPerSecond, removeWorkerMs } = index;
    console.log(`index     ${blocks} blocks in ${megabytes(tableBytes)} (resident ${megabytes(residentBytes)})`);
    console.log(
      `place     p50 ${us(placeUs.p50)}, p99 ${us(placeUs.p99)}; ${decisionsPerSecond} decisions/s on one core`,
    );
    console.log(`          a worker that leaves: ${removeWorkerMs.toFixed(0)} ms`);
  }
  if (fleet !== undefined) {
    const { workers, requestsPerSecond, decisionUs, answerUs } = fleet;
    console.log(`fleet     ${workers} workers, ${requestsPerSecond.toFixed(0)} requests/s`);
    console.log(
      `          decision mean ${us(decisionUs.mean)}; answer p50 ${us(answerUs.p50)}, p99 ${us(answerUs.p99)}`,
    );
    const { schedulerCpuShare, schedulerCpuUsPerRequest, schedulerResidentBytes } = fleet;
    console.log(
      `          scheduler ${(100 * schedulerCpuShare).toFixed(0)} % of a core (${us(schedulerCpuUsPerRequest)} a request), ${megabytes(schedulerResidentBytes)}`,
    );
  }
  if (overload !== undefined) {
    const { seconds, goodput, peakGoodput, goodputShare, backToNormalMs, grownBytes } = overload;
    console.log(`overload  10 times for ${seconds} s: goodput ${goodput.toFixed(1)} of ${peakGoodput.toFixed(1)} /s`);
    console.log(
      `          ${(100 * goodputShare).toFixed(0)} %; normal after ${backToNormalMs.toFixed(0)} ms; ${megabytes(grownBytes)} more memory`,
    );
  }
  for (const { strategy, hitRatio, ttftMs, laterTurnsTtftMs } of chats ?? []) {
    const times = `TTFT mean ${ttftMs.mean.toFixed(0)}, p90 ${ttftMs.p90.toFixed(0)} ms; later turns p50 ${laterTurnsTtftMs.p50.toFixed(0)} ms`;
    console.log(`chats     ${strategy}: ${(100 * hitRatio).toFixed(0)} % of prompt tokens found; ${times}`);
  }
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function us(value) {
  return `${value.toFixed(0)} µs`;
}
