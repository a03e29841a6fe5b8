import { JAVASCRIPT_CASE } from './cases.mjs';
import { startHydra } from './engines.mjs';
import { spread } from './statistics.mjs';

const RUNS = 3;
const TEMPERATURES = { greedy: 0, sampled: 1 };

/**
 * JavaScript's share of a step's time; and by a CPU profile, which slows the thread down, the same and its functions.
 * @returns {Promise<Record<string, {median: number, min: number, max: number, profiled: number, functions: object[]}>>}
 *   by way of sampling; shares are 0 to 1
 */
export async function javascriptShares({ measure, say }) {
  await using engine = await startHydra(['--profiled']);
  const shares = {};
  for (const [name, temperature] of Object.entries(TEMPERATURES)) {
    const argument = { ...JAVASCRIPT_CASE.argument, temperature };
    const runs = [];
    for (let run = 0; run < RUNS; run++) runs.push(await measure(engine, 'javascriptShare', argument));
    const profile = await measure(engine, 'javascriptShare', { ...argument, withProfile: true });
    const share = spread(runs.map((run) => run.share));
    shares[name] = { ...share, profiled: profile.profiledShare, functions: profile.functions };
    say(`${JAVASCRIPT_CASE.name}, ${name}: ${(100 * share.median).toFixed(1)} %`);
  }
  return shares;
}
