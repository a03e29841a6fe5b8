import { RATE_CASES } from './cases.mjs';
import { startLlamaCpp } from './engines.mjs';
import { median } from './statistics.mjs';

const TRIED_CASES = ['decode.8', 'prefill.256'];
const ROUNDS = 2;
const SETTINGS = { on: true, off: false };

/**
 * Tries the peer's flash attention on and off in turn; decode and prefill each get what is faster.
 * @returns {Promise<{flashAttention: {decode: boolean, prefill: boolean}, tried: object}>} `tried`: tokens per second
 */
export async function fastestPeerSettings(model, measure) {
  await using peer = await startLlamaCpp(model);
  const flashAttention = {};
  const tried = {};
  for (const { name, kind, argument } of RATE_CASES.filter((each) => TRIED_CASES.includes(each.name))) {
    const rates = { on: [], off: [] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const [setting, isOn] of Object.entries(SETTINGS)) {
        const { tokensPerSecond } = await measure(peer, kind, { ...argument, flashAttention: isOn }, 2);
        rates[setting].push(tokensPerSecond);
      }
    }
    tried[name] = { on: median(rates.on), off: median(rates.off) };
    flashAttention[kind] = tried[name].on >= tried[name].off;
  }
  return { flashAttention, tried };
}
