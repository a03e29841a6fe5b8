/**
 * Builds, flags or settings of the gateway against each other, in CPU time of the same load: gateways of one platform on the measured
 * core, in turns, since a machine's speed changes from one minute to the next.
 * node bench/gateway/turns.mjs [--case plain|flood|paced|paced-many|two] [--rounds N] [--turn-ms N] NAME=FOLDER[,FLAG...] ...
 * Gateways have no flags but those that are named here, nor those that `hydra up` gives (`PROCESS_SETTINGS`).
 *   FOLDER: one in which `npm run build` ran; FLAG: one of Node (--max-semi-space-size=32) or a variable (HYDRA_X=1)
 */
import { cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { quantile } from '../engine/statistics.mjs';
import { pinning } from './cores.mjs';
import { AT_ONCE, cpuPerMillionEvents, cpuPerThousand, loadSettings, PACED } from './load-cases.mjs';
import { withPlatform } from './with-platform.mjs';

const CASES = {
  plain: { mock: AT_ONCE, concurrency: 64, stream: false, gatewaysEach: 1, cost: cpuPerThousand },
  flood: { mock: AT_ONCE, concurrency: 64, stream: true, gatewaysEach: 1, cost: cpuPerMillionEvents },
  paced: { mock: PACED, concurrency: 64, stream: true, gatewaysEach: 1, cost: cpuPerMillionEvents },
  'paced-many': { mock: PACED, concurrency: 256, stream: true, gatewaysEach: 1, cost: cpuPerMillionEvents },
  two: { mock: AT_ONCE, concurrency: 64, stream: false, gatewaysEach: 2, cost: cpuPerThousand },
};
const WARM_UP_MS = 7_000;

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
process.setMaxListeners(0); // one for each child that is to end with this process

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    case: { type: 'string', default: 'plain' },
    rounds: { type: 'string', default: '8' },
    'turn-ms': { type: 'string', default: '2000' },
    together: { type: 'boolean', default: false },
  },
});
const { mock, concurrency, stream, gatewaysEach, cost } = CASES[values.case];
const contenders = positionals.map(toContender);
const gateways = contenders.flatMap(({ gateway }) => Array(gatewaysEach).fill(gateway));
const costs = await withPlatform({ mocks: Array(4).fill(mock), gateways }, async (platform, load) => {
  const costOf = async (index, times) => {
    const own = (all) => all.slice(index * gatewaysEach, (index + 1) * gatewaysEach);
    const result = await load.run('closedLoop', {
      ...loadSettings({ concurrency, stream }),
      ...{ path: '/v1/completions', headers: platform.headers, ...times },
      ...{ ports: own(platform.ports), pids: own(platform.pids) },
    });
    return cost(result);
  };
  const indices = contenders.map((_, index) => index);
  const warmUp = { warmUpMs: WARM_UP_MS * gatewaysEach, measureMs: 100 };
  for (const index of indices) await costOf(index, warmUp);
  const perRound = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const costs = [];
    const times = { warmUpMs: 300, measureMs: Number(values['turn-ms']) };
    const order = round % 2 === 0 ? indices : indices.toReversed();
    if (values.together) await Promise.all(order.map(async (index) => (costs[index] = await costOf(index, times))));
    else for (const index of order) costs[index] = await costOf(index, times);
    perRound.push(costs);
  }
  return perRound;
});

const digits = stream ? 1 : 4;
console.log(
  `${values.case}, ${cpus()[0]?.model.trim()}, ${pinning}, load average ${loadavg()[0]}, ${costs.length} rounds`,
);
contenders.forEach(({ name }, index) => {
  const own = costs.map((round) => round[index]);
  const ratios = costs.map((round) => round[index] / round[0]);
  const three = (all, places) => [0.25, 0.5, 0.75].map((q) => quantile(all, q).toFixed(places)).join(' / ');
  console.log(`${name.padEnd(24)} ${three(own, digits)}   × ${contenders[0].name}: ${three(ratios, 3)}`);
});
process.exit(0);

function toContender(argument) {
  const [, name, folder, own] = /^([^=]+)=([^,]+),?(.*)$/.exec(argument) ?? [];
  if (name === undefined) throw new RangeError(`Expected NAME=FOLDER[,FLAG...] instead of "${argument}".`);
  const flags = own.split(',').filter(Boolean);
  const isFlag = (flag) => flag.startsWith('-');
  return {
    name,
    gateway: {
      entry: resolve(folder, 'dist/apps/gateway/src/main.js'),
      env: Object.fromEntries(flags.filter((flag) => !isFlag(flag)).map((flag) => flag.split('='))),
      flags: flags.filter(isFlag),
    },
  };
}
