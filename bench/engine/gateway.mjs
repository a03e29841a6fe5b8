import { loadServer, startPlatform } from '../platform.mjs';
import { GATEWAY_CASE } from './cases.mjs';
import { AS_STARTED, startHydra } from './engines.mjs';
import { orderOf } from './schedule.mjs';

/** Chosen: a turn takes ten seconds, and single ones differ by a fifth. */
const TURNS_PER_ROUND = 3;

/**
 * The closed loop of `hydra bench` through the whole platform, and the same at an engine alone with the same settings, in turn. The first turn warms both up.
 * @returns {Promise<{through: number[], alone: number[]}>} tokens per second, of each turn
 */
export async function gatewayRates({ rounds, say }) {
  const { concurrency, requests, maxTokens, promptWords } = GATEWAY_CASE.argument;
  const flags = { concurrency, requests, 'max-tokens': maxTokens, 'prompt-words': promptWords };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  const rates = { through: [], alone: [] };
  await using engine = await startHydra([], AS_STARTED);
  const platform = await startPlatform(AS_STARTED);
  const run = {
    through: async () => (await loadServer(platform.url, args))[0].tokensPerSecond,
    alone: async () => (await engine.ask('load', GATEWAY_CASE.argument)).tokensPerSecond,
  };
  try {
    const turns = rounds * TURNS_PER_ROUND;
    for (const where of ['through', 'alone']) await run[where]();
    for (let turn = 0; turn < turns; turn++) {
      for (const where of orderOf(['through', 'alone'], turn, 0)) rates[where].push(await run[where]());
      const [through, alone] = [rates.through, rates.alone].map((of) => of.at(-1).toFixed(1));
      say(`turn ${turn + 1}/${turns}  ${GATEWAY_CASE.name}: ${through} of ${alone} tokens/s`);
    }
  } finally {
    await platform.stop();
  }
  return rates;
}
