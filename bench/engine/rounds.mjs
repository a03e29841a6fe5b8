import { MIXED_CASE, RATE_CASES } from './cases.mjs';
import { startHydra, startPeer } from './engines.mjs';
import { TOLERATED_SHARE } from './measure.mjs';
import { orderOf } from './schedule.mjs';

/** Cases that both engines are measured in. */
export const pairedCases = (isWanted) => [...RATE_CASES, MIXED_CASE].filter(({ name }) => isWanted(name));

/**
 * One fresh process of each engine per round; both stay open and take turns case by case, so that a pair of figures is
 * seconds apart. The one that is not asked does nothing.
 * @param {object} options
 * @param {number} options.rounds
 * @param {ReturnType<typeof pairedCases>} options.cases
 * @param {{ggufPath: string, threads: number}} options.model
 * @param {(kind: string) => object} options.peerSettings  by kind of case
 * @param {ReturnType<import('./measure.mjs').measurer>} options.measure
 * @param {(line: string) => void} options.say
 * @returns {Promise<Map<string, {hydra: object[], nodeLlamaCpp: object[]}>>} answers by case, one per round
 */
export async function runRounds({ rounds, cases, model, peerSettings, measure, say }) {
  const answers = new Map(cases.map(({ name }) => [name, { hydra: [], nodeLlamaCpp: [] }]));
  for (let round = 0; round < rounds; round++) {
    await using hydra = await startHydra();
    await using peer = await startPeer(model);
    const ask = {
      hydra: ({ kind, argument }) => measure(hydra, kind, argument),
      nodeLlamaCpp: ({ kind, argument }) => measure(peer, kind, { ...argument, ...peerSettings(kind) }),
    };
    for (const [index, each] of cases.entries()) {
      const { name } = each;
      for (const engine of orderOf(['hydra', 'nodeLlamaCpp'], round, index)) {
        answers.get(name)[engine].push(await ask[engine](each));
      }
      const { hydra: ours, nodeLlamaCpp: theirs } = answers.get(name);
      say(`round ${round + 1}/${rounds}  ${name}: hydra ${inShort(ours.at(-1))}, peer ${inShort(theirs.at(-1))}`);
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
