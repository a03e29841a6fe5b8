import { MIXED_CASE, RATE_CASES } from './cases.mjs';
import { TOLERATED_SHARE } from './measure.mjs';
import { orderOf } from './schedule.mjs';

/** Cases of ours against node-llama-cpp, both with their defaults. */
export const mainCases = (isWanted) => [...RATE_CASES, MIXED_CASE].filter(({ name }) => isWanted(name));

/**
 * One fresh process of each engine per round; both stay open and take turns case by case, so that a pair of figures is
 * seconds apart. The one that is not asked does nothing.
 * @param {object} options
 * @param {number} options.rounds
 * @param {string} [options.prefix]  of the cases' names where they are told
 * @param {ReturnType<typeof mainCases>} options.cases
 * @param {{hydra: () => Promise<import('./engine-process.mjs').EngineProcess>, peer: () => Promise<import('./engine-process.mjs').EngineProcess>}} options.start
 * @param {(kind: string) => object} [options.peerSettings]  by kind of case
 * @param {ReturnType<import('./measure.mjs').measurer>} options.measure
 * @param {(line: string) => void} options.say
 * @returns {Promise<Map<string, {hydra: object[], peer: object[]}>>} answers by case, one per round
 */
export async function runRounds({ rounds, prefix = '', cases, start, peerSettings = () => ({}), measure, say }) {
  const answers = new Map(cases.map(({ name }) => [name, { hydra: [], peer: [] }]));
  for (let round = 0; round < rounds; round++) {
    await using hydra = await start.hydra();
    await using peer = await start.peer();
    const ask = {
      hydra: ({ kind, argument }) => measure(hydra, kind, argument),
      peer: ({ kind, argument }) => measure(peer, kind, { ...argument, ...peerSettings(kind) }),
    };
    for (const [index, each] of cases.entries()) {
      const { name } = each;
      // V8 compiles JavaScript in threads beside the first hundreds of steps, on the cores that compute: once in a worker's life.
      if (each.kind === 'decode') for (const engine of ['hydra', 'peer']) await ask[engine](each);
      for (const engine of orderOf(['hydra', 'peer'], round, index)) {
        answers.get(name)[engine].push(await ask[engine](each));
      }
      const [ours, theirs] = ['hydra', 'peer'].map((of) => inShort(answers.get(name)[of].at(-1)));
      say(`round ${round + 1}/${rounds}  ${prefix}${name}: hydra ${ours}, peer ${theirs}`);
    }
  }
  return answers;
}

function inShort({ tokensPerSecond, alone, mixed, disturbedShare }) {
  const figure =
    tokensPerSecond === undefined
      ? `ITL p99 ${alone.p99Ms.toFixed(0)} -> ${mixed.p99Ms.toFixed(0)} ms`
      : `${tokensPerSecond.toFixed(1)} tokens/s`;
  return disturbedShare > TOLERATED_SHARE ? `${figure} (disturbed ${(100 * disturbedShare).toFixed(0)} %)` : figure;
}
