/**
 * The embedded engine as a process that answers the bench's cases: in its thread, with the weights and settings of
 * `make run`, greedy, up to the text of each token.
 */
import { loadConfig } from '#lib/config';
import { EngineThread } from '#lib/engine';
import { onnxEngineThread } from '#lib/engine-onnx';
import { modelConfig } from '#lib/models';
import { TextModel } from '#lib/tokens';
import { promptOf } from '../../dist/apps/cli/src/load/prompt-of.js';
import { loadEngine } from '../engine-load.mjs';
import { engineOptionsFor } from '../onnx-engine.mjs';
import { answerCases } from './answer-cases.mjs';
import { CONTEXT_TOKENS } from './cases.mjs';
import { EngineStreams } from './engine-streams.mjs';
import { freshPrompt } from './prompts.mjs';
import { bytesOfStep } from './step-bytes.mjs';
import { interTokenLatency, jointRate } from './stream-rate.mjs';
import { ThreadProfile } from './thread-profile.mjs';

const WARM_UP_TOKENS = 2;
const isProfiled = process.argv.includes('--profiled');

const { source, compiled, prefill: copy, options } = await engineOptionsFor(loadConfig());
const engine = isProfiled
  ? new EngineThread({ entry: new URL('./profiled-thread-entry.mjs', import.meta.url), workerData: options })
  : onnxEngineThread(options);
await engine.start(new AbortController().signal);
const { model } = engine.describe();
const text = TextModel.load(engine.describe().textFiles);
const prompt = (tokens) => freshPrompt((words) => text.promptFromText(words), tokens);
const streams = new EngineStreams(engine);
const profile = isProfiled ? new ThreadProfile() : undefined;

/** Opens streams that have their first token and pause, each with the same context of `tokens`, as the peer's. */
async function pausedStreams(count, tokens, maxTokens, temperature) {
  if (count > model.maxRunningSequences) {
    throw new Error(
      `${count} sequences at once do not fit: the engine runs ${model.maxRunningSequences}; raise kvBytes.`,
    );
  }
  const promptTokenIds = await prompt(tokens);
  const opened = [];
  for (let i = 0; i < count; i++) opened.push(streams.open({ promptTokenIds, maxTokens, credit: 1, temperature }));
  for (const stream of opened) await stream.hasStarted;
  return opened;
}

/** Lets paused streams run to their ends. */
async function runOut(paused, tokens) {
  for (const { id } of paused) engine.credit(id, tokens);
  for (const { hasEnded } of paused) await hasEnded;
}

async function decode({ rows, contextTokens, steps }) {
  const tokens = WARM_UP_TOKENS + steps;
  const paused = await pausedStreams(rows, contextTokens - steps / 2, tokens + 1);
  await runOut(paused, tokens);
  return {
    tokensPerSecond: jointRate(
      paused.map(({ arrivals }) => arrivals),
      WARM_UP_TOKENS + 1,
    ),
  };
}

async function prefill({ tokens, repeats }) {
  let seconds = 0;
  for (let i = -1; i < repeats; i++) {
    const promptTokenIds = await prompt(tokens);
    const stream = streams.open({ promptTokenIds, maxTokens: 1 });
    await stream.hasEnded;
    if (i >= 0) seconds += (stream.arrivals[0] - stream.startMs) / 1000; // the first warms up
  }
  return { tokensPerSecond: (repeats * tokens) / seconds };
}

/** Running streams alone, then the same beside prompts of which always exactly one is being computed. */
async function mixed({ rows, contextTokens, steps, promptTokens, longestMs }) {
  const run = async (isBesidePrompts) => {
    const paused = await pausedStreams(rows, contextTokens, WARM_UP_TOKENS + steps + 1);
    const timer = setTimeout(() => {
      for (const { id } of paused) engine.cancel(id, 'long enough');
    }, longestMs);
    const startMs = performance.now();
    let streamsEnded = false;
    const running = runOut(paused, WARM_UP_TOKENS + steps).finally(() => (streamsEnded = true));
    let computed = 0;
    let computedMs = startMs;
    let next = prompt(promptTokens);
    while (isBesidePrompts && !streamsEnded) {
      const stream = streams.open({ promptTokenIds: await next, maxTokens: 1 });
      next = prompt(promptTokens); // made while this one is computed, so that no step is without
      await Promise.race([stream.hasEnded, running]);
      engine.cancel(stream.id, 'long enough');
      if (streamsEnded) break;
      computed += promptTokens;
      computedMs = stream.arrivals[0];
    }
    await running;
    clearTimeout(timer);
    const arrivals = paused.map((stream) => stream.arrivals.slice(1));
    const seconds = (Math.max(...arrivals.map((stream) => stream.at(-1))) - startMs) / 1000;
    return {
      ...interTokenLatency(arrivals, WARM_UP_TOKENS),
      outputTokensPerSecond: arrivals.flat().length / seconds,
      promptTokensPerSecond: computed === 0 ? 0 : (computed / (computedMs - startMs)) * 1000,
    };
  };
  return { alone: await run(false), mixed: await run(true) };
}

/** The closed loop of `hydra bench`, at the engine itself. */
async function load({ concurrency, requests, maxTokens, promptWords }) {
  const prompts = [];
  for (let i = 0; i < concurrency + requests; i++)
    prompts.push(await text.promptFromText(promptOf(promptWords, i - concurrency)));
  const promptOfNumber = (i) => prompts[i + concurrency];
  const { tokensPerSecond } = await loadEngine(engine, { concurrency, requests, maxTokens, promptOf: promptOfNumber });
  streams.listen();
  return { tokensPerSecond };
}

/** How much of the time of decode steps is not the model's; with a profile also what it is, which slows the thread down. */
async function javascriptShare({ rows, contextTokens, steps, temperature, withProfile }) {
  const paused = await pausedStreams(rows, contextTokens - steps / 2, steps + 1, temperature);
  if (withProfile) await profile.begin();
  const { modelUs } = engine.state();
  const startMs = performance.now();
  await runOut(paused, steps);
  const wallMs = performance.now() - startMs;
  const share = 1 - (engine.state().modelUs - modelUs) / 1_000 / wallMs;
  return { share, ...(withProfile && (await profile.end())) };
}

answerCases(
  { decode, prefill, mixed, load, javascriptShare },
  {
    engine: 'hydra',
    modelId: model.modelId,
    weights: model.weights,
    threads: options.threads,
    ggufPath: source.ggufPath,
    contentKey: source.contentKey,
    compiledFolder: compiled.folder,
    weightsBytes: compiled.manifest.weightsBytes + (copy?.manifest.weightsBytes ?? 0),
    bytesPerStep: bytesOfStep(compiled.manifest, await modelConfig(source), CONTEXT_TOKENS),
  },
  () => engine.stop(),
);
