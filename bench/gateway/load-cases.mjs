import { MODEL } from './platform.mjs';
import { withPlatform } from './with-platform.mjs';

export const PROMPT_TOKENS = 30;
export const OUTPUT_TOKENS = 50;
/** Until the code of the hot path is compiled and the connections are there; then the time that counts. */
const WARM_UP_MS = 8_000;
const MEASURE_MS = 8_000;
const WORKERS = 4;

/** The request of every row; the mock's tokenizer has a token for each byte. */
export const bodyOf = (stream, extra = {}) => ({
  ...{ model: MODEL, prompt: 'x'.repeat(PROMPT_TOKENS), max_tokens: OUTPUT_TOKENS, ignore_eos: true, stream },
  ...extra,
});

/** One closed loop against gateways. @returns what `closedLoop` counted */
export function measure({ mock, concurrency, stream, gateways = [{}] }) {
  return withPlatform({ mocks: Array(WORKERS).fill(mock), gateways }, async (platform, load) => {
    const result = await load.run('closedLoop', {
      ports: platform.ports,
      path: '/v1/completions',
      headers: platform.headers,
      ...loadSettings({ concurrency, stream }),
      pids: platform.pids,
    });
    if (!stream || mock.itlMs === 0) return result;
    const direct = await load.run('sessionLoop', {
      ...{ workers: platform.workerTargets, modelId: MODEL, promptTokens: PROMPT_TOKENS, maxTokens: OUTPUT_TOKENS },
      ...{ concurrency, warmUpMs: 2_000, measureMs: 4_000 },
    });
    return { ...result, directTtftMs: direct.ttftMs };
  });
}

export function loadSettings({ concurrency, stream }) {
  return {
    ...{ body: bodyOf(stream), eventsPerRequest: stream ? OUTPUT_TOKENS : 0, concurrency },
    ...{ warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS },
  };
}

const total = (values) => values.reduce((sum, value) => sum + value, 0);
export const cpuPerThousand = ({ cpuSeconds, requests }) => (total(cpuSeconds) / requests) * 1e3;
export const cpuPerMillionEvents = ({ cpuSeconds, events }) => (total(cpuSeconds) / events) * 1e6;

/** Workers that answer at once: what a request costs. */
export const AT_ONCE = { ttftMs: 0, itlMs: 0 };
/** Workers at the pace of a model. */
export const PACED = { ttftMs: 20, itlMs: 10 };
