import { PROCESS_SETTINGS } from '#lib/config';
import { residentSet } from '../resident-set.mjs';
import { AT_ONCE, bodyOf, loadSettings, PACED, WARM_UP_MS } from './load-cases.mjs';
import { OTHER_MODEL } from './platform.mjs';
import { withPlatform } from './with-platform.mjs';

const PATH = '/v1/completions';
const MINUTES_MS = 600_000;
const SLOW_READERS = 16;
const SLOW_MS = 60_000;
const FLOOD_MS = 20_000;
const IDLE_STREAMS = 10_000;
const LEAVERS = 20;
/** Far more than the row allows: a worker that was not told by then never is. */
const TOLD_WITHIN_MS = 10_000;
/** For all of them; some seconds on a quiet machine. */
const OPEN_WITHIN_MS = 60_000;
const LONG_PROMPTS = 20;
const LONG_PROMPT_TOKENS = 8_000;

/** As large as V8's young generation gets by itself, from the beginning: when it is made smaller and larger is not what readers add. */
const SLOW_FLAGS = [
  ...PROCESS_SETTINGS.gateway.flags,
  '--expose-gc',
  '--min-semi-space-size=64',
  '--max-semi-space-size=64',
];

/**
 * Readers that take nothing of long answers of fast workers, beside others that read streams at a model's pace. A flood of requests that
 * are read comes first: after it the young generation is touched as a whole and the flight recorder full. Then the others for a minute alone and for
 * a minute with the slow readers, each after a full collection: between two of those the process grows by what has become old
 * of anybody's requests. The figure is what the readers add to that, and both are told.
 */
export async function slowReaders() {
  const fast = { ...AT_ONCE, contextTokens: 4_000_000 };
  const mocks = [fast, fast, { ...PACED, modelId: OTHER_MODEL }];
  const options = { mocks, gateways: [{ flags: SLOW_FLAGS }] };
  return withPlatform(options, async ({ ports, headers, pids, gateways: [gateway] }, load) => {
    const settings = { ...loadSettings({ concurrency: 16, stream: true }), ports, path: PATH, headers, pids: [] };
    const body = bodyOf(true, { model: OTHER_MODEL });
    const others = () => load.run('closedLoop', { ...settings, body, warmUpMs: 5_000, measureMs: SLOW_MS });
    const flood = loadSettings({ concurrency: 64, stream: true });
    await load.run('closedLoop', { ...settings, ...flood, warmUpMs: 0, measureMs: FLOOD_MS });
    await gateway.ask('collect');
    const { result: alone, grownMiB: withoutReadersMiB } = await grownWhile(pids[0], others);
    await gateway.ask('collect');
    const { result: beside, grownMiB: withReadersMiB } = await grownWhile(pids[0], async () => {
      const slow = { port: ports[0], path: PATH, headers, body: bodyOf(true, { max_tokens: 3_000_000 }) };
      await load.run('openStreams', { ...slow, count: SLOW_READERS, isRead: false });
      return others();
    });
    // Twice is what one more process on the machine does to a 99th percentile.
    const isUndisturbed = beside.gapP99Ms <= 2 * alone.gapP99Ms;
    const othersP99Ms = { alone: alone.gapP99Ms, beside: beside.gapP99Ms };
    const value = withReadersMiB - withoutReadersMiB;
    const [without, withThem] = [withoutReadersMiB, withReadersMiB].map((grown) => grown.toFixed(1));
    const told = `grows by ${without} without them and ${withThem} with them`;
    return { value, holds: isUndisturbed, told, withoutReadersMiB, withReadersMiB, othersP99Ms };
  });
}

/** The most that a process grew by while `work` was done. */
async function grownWhile(pid, work) {
  const before = residentSet(pid).bytes;
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, residentSet(pid).bytes);
  }, 500);
  const result = await work().finally(() => clearInterval(timer));
  return { result, grownMiB: toMiB(most - before) };
}

const toMiB = (bytes) => bytes / 2 ** 20;

/** From the client's leaving to the worker's hearing of it, the longest of some. */
export async function clientGone() {
  const toldAtMs = [];
  const onWorkerMessage = ({ kind, atMs }) => {
    if (kind === 'cancelled') toldAtMs.push(atMs);
  };
  const mocks = Array(4).fill({ ttftMs: MINUTES_MS });
  return withPlatform({ mocks, onWorkerMessage }, async ({ ports, headers }, load) => {
    const { leftAtMs } = await load.run('leaveStreams', {
      ...{ port: ports[0], path: PATH, headers, body: bodyOf(true), count: LEAVERS, stayMs: 200 },
    });
    await untilTold(toldAtMs);
    const delays = leftAtMs.map((ms, index) => toldAtMs[index] - ms);
    return { value: Math.max(...delays), delays };
  });
}

async function untilTold(toldAtMs) {
  const startMs = performance.now();
  while (toldAtMs.length < LEAVERS) {
    if (performance.now() - startMs > TOLD_WITHIN_MS) {
      throw new Error(`Workers were told of ${toldAtMs.length} of ${LEAVERS} clients that left.`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Streams that wait for their first token. */
export async function idleStreams() {
  const idle = { ttftMs: MINUTES_MS, maxRunningSequences: IDLE_STREAMS };
  const options = {
    mocks: [idle, idle, { ...AT_ONCE, modelId: OTHER_MODEL }],
    gatewaySettings: { concurrentRequests: 2 * IDLE_STREAMS },
    schedulerSettings: { queueLength: 2 * IDLE_STREAMS },
  };
  return withPlatform(options, async ({ ports, headers, pids }, load) => {
    const shared = { port: ports[0], path: PATH, headers };
    const { opened } = await load.run('openStreams', {
      ...shared,
      ...{ body: bodyOf(true), count: IDLE_STREAMS, isRead: true },
    });
    await inFlight(ports[0], headers, IDLE_STREAMS).catch(async (cause) => {
      const endings = await load.run('streamEndings', {});
      throw new Error(`${cause.message} Ended: ${JSON.stringify(endings)}`, { cause });
    });
    const bodies = Array(20).fill(bodyOf(false, { model: OTHER_MODEL }));
    const answers = await load.run('inTurn', { ...shared, bodies });
    const answersAll = answers.every(({ status }) => status === 200);
    const answerMs = Math.max(...answers.map(({ ms }) => ms));
    return { value: residentSet(pids[0]).bytes / 1e6, holds: answersAll && opened === IDLE_STREAMS, answerMs };
  });
}

/** Until the gateway holds as many requests; some of them refused would never be so many. */
async function inFlight(port, headers, count) {
  const startMs = performance.now();
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers });
    const metrics = await response.text();
    if (!response.ok) throw new Error(`The metrics cannot be read: ${metrics}`);
    const held = Number(/^hydra_gateway_requests_in_flight (\d+)/m.exec(metrics)?.[1]);
    if (held >= count) return;
    if (performance.now() - startMs > OPEN_WITHIN_MS)
      throw new Error(`The gateway holds ${held} of ${count} requests.`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** How long prompts hold the event loop; the gateway does nothing else meanwhile. Each is a different one of exactly so many tokens. */
export async function longPrompts() {
  const mocks = Array(4).fill({ ...AT_ONCE, contextTokens: 2 * LONG_PROMPT_TOKENS });
  return withPlatform({ mocks }, async ({ ports, headers, gateways: [gateway] }, load) => {
    const bodies = Array.from({ length: LONG_PROMPTS }, (_, index) =>
      bodyOf(false, { prompt: longPrompt(index), max_tokens: 1 }),
    );
    const send = () => load.run('inTurn', { port: ports[0], path: PATH, headers, bodies });
    for (const endMs = performance.now() + WARM_UP_MS; performance.now() < endMs; ) await send();
    await gateway.ask('loop-begin');
    const answers = await send();
    const { heldMs } = await gateway.ask('loop-end');
    const promptTokens = answers.map(({ usage }) => usage?.prompt_tokens);
    const wrong = promptTokens.find((count) => count !== LONG_PROMPT_TOKENS);
    if (wrong !== undefined) throw new Error(`A prompt was one of ${wrong} tokens.`);
    return { value: heldMs, promptTokens: LONG_PROMPT_TOKENS };
  });
}

/** The mock's tokenizer has a token for each byte; the answers' usage says whether that is so. */
function longPrompt(index) {
  const sentence = 'Once upon a time, somewhere, somebody did something. ';
  return `${index} ${sentence.repeat(LONG_PROMPT_TOKENS / sentence.length + 1)}`.slice(0, LONG_PROMPT_TOKENS);
}
