import { MODEL } from './platform.mjs';
import { withPlatform } from './with-platform.mjs';

export const PROMPT_TOKENS = 30;
export const OUTPUT_TOKENS = 50;
/** Until the code of the hot path is compiled and the connections are there; then the time that counts. */
export const WARM_UP_MS = 8_000;
/** At the pace of a model: some 3,000 requests. After the thousand of 8 s V8 still compiled, at half as much again for each event. */
const PACED_WARM_UP_MS = 24_000;
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
      warmUpMs: isPaced(mock) ? PACED_WARM_UP_MS : WARM_UP_MS,
      pids: platform.pids,
    });
    if (!stream || !isPaced(mock)) return result;
    const direct = await load.run('sessionLoop', {
      ...{ workers: platform.workerTargets, modelId: MODEL, promptTokens: PROMPT_TOKENS, maxTokens: OUTPUT_TOKENS },
      ...{ concurrency, warmUpMs: 2_000, measureMs: 4_000 },
    });
    return { ...result, directTtftMs: direct.ttftMs };
  });
}

const isPaced = ({ itlMs }) => itlMs > 0;

export function loadSettings({ concurrency, stream }) {
  return {
    ...{ body: bodyOf(stream), eventsPerRequest: stream ? OUTPUT_TOKENS : 0, concurrency },
    ...{ warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS },
  };
}

/** Turns of one gateway and of two, and how long each is. */
const ROUNDS = 9;
const TURN = { warmUpMs: 500, measureMs: 2_500 };
/** For each process: after 8 s their heaps still grew, and two cost 1.1 to 1.2 times one until they had. */
const TURNS_WARM_UP_MS = 20_000;

/**
 * Two gateways on the measured core against one that is measured in turns with them: three processes of one platform, each warmed up by as
 * much work. @returns the ratio of CPU time per request of each round
 */
export function twoAgainstOne() {
  return withPlatform({ mocks: Array(WORKERS).fill(AT_ONCE), gateways: [{}, {}, {}] }, async (platform, load) => {
    const cpuOf = async (gateways, times) => {
      const of = (values) => gateways.map((gateway) => values[gateway]);
      const settings = { ...loadSettings({ concurrency: 64, stream: false }), ...times };
      const shape = { path: '/v1/completions', headers: platform.headers, pids: of(platform.pids) };
      return cpuPerThousand(await load.run('closedLoop', { ...settings, ...shape, ports: of(platform.ports) }));
    };
    const one = () => cpuOf([0], TURN);
    const two = () => cpuOf([1, 2], TURN);
    await cpuOf([0], { warmUpMs: TURNS_WARM_UP_MS, measureMs: 100 });
    await cpuOf([1, 2], { warmUpMs: 2 * TURNS_WARM_UP_MS, measureMs: 100 }); // each has half of it
    const ratios = [];
    for (let round = 0; round < ROUNDS; round++) {
      const isOneFirst = round % 2 === 0;
      const first = await (isOneFirst ? one : two)();
      const second = await (isOneFirst ? two : one)();
      ratios.push(isOneFirst ? second / first : first / second);
    }
    return ratios;
  });
}

const total = (values) => values.reduce((sum, value) => sum + value, 0);
export const cpuPerThousand = ({ cpuSeconds, requests }) => (total(cpuSeconds) / requests) * 1e3;
export const cpuPerMillionEvents = ({ cpuSeconds, events }) => (total(cpuSeconds) / events) * 1e6;

/** Workers that answer at once: what a request costs. */
export const AT_ONCE = { ttftMs: 0, itlMs: 0 };
/** Workers at the pace of a model. */
export const PACED = { ttftMs: 20, itlMs: 10 };
