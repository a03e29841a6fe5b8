import { loadServer, startPlatform } from '../platform.mjs';
import { GATEWAY_CASE } from './cases.mjs';
import { startHydra } from './engines.mjs';
import { orderOf } from './schedule.mjs';

/**
 * The closed loop of `hydra bench` through the whole platform, and the same at an engine alone, in turn.
 * @returns {Promise<{through: number[], alone: number[]}>} tokens per second, one of each per round
 */
export async function gatewayRates({ rounds, say }) {
  const { concurrency, requests, maxTokens, promptWords } = GATEWAY_CASE.argument;
  const flags = { concurrency, requests, 'max-tokens': maxTokens, 'prompt-words': promptWords };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  const rates = { through: [], alone: [] };
  await using engine = await startHydra();
  const platform = await startPlatform({});
  const run = {
    through: async () => (await loadServer(platform.url, args))[0].tokensPerSecond,
    alone: async () => (await engine.ask('load', GATEWAY_CASE.argument)).tokensPerSecond,
  };
  try {
    for (let round = 0; round < rounds; round++) {
      for (const where of orderOf(['through', 'alone'], round, 0)) rates[where].push(await run[where]());
      const [through, alone] = [rates.through, rates.alone].map((of) => of.at(-1).toFixed(1));
      say(`round ${round + 1}/${rounds}  ${GATEWAY_CASE.name}: ${through} of ${alone} tokens/s`);
    }
  } finally {
    await platform.stop();
  }
  return rates;
}
