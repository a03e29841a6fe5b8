/**
 * node-llama-cpp as a process that answers the bench's cases. Timed: evaluation and the choice of the likeliest token;
 * making text of it is left out, in favour of the peer.
 *
 *   node peer-process.mjs MODEL.gguf THREADS
 */
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { answerCases } from '../engine/answer-cases.mjs';
import { freshPrompt } from '../engine/prompts.mjs';
import { interTokenLatency, jointRate } from '../engine/stream-rate.mjs';
import { fill, generate, SequenceBatch } from './sequence-batch.mjs';

const WARM_UP_TOKENS = 2;
/** Larger ones compute prompts no faster (measured on 2 cores: 128 to 1,024). */
const BATCH_TOKENS = 512;
/** Beside running streams: 24 of a prompt and 8 rows keep its steps below three times those without a prompt. */
const MIXED_BATCH_TOKENS = 32;
/**
 * Prompts beside running streams, each in a sequence of its own: one that was used cannot be cleared while others run,
 * because they hold the context's lock.
 */
const MOST_PROMPTS = 12;

const [modelPath, threads] = process.argv.slice(2);
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath });
const prompt = (tokens) => freshPrompt((text) => model.tokenize(text), tokens);

const contextOf = (sequences, contextTokens, { flashAttention = true, batchTokens = BATCH_TOKENS }) =>
  SequenceBatch.create(model, {
    sequences,
    contextSize: contextTokens,
    batchSize: batchTokens,
    threads: Number(threads),
    flashAttention,
  });

async function decode({ rows, contextTokens, steps, ...settings }) {
  const batch = await contextOf(rows, 2 * contextTokens, settings);
  const promptTokens = await prompt(contextTokens - steps / 2);
  await fill(batch.sequences, promptTokens.slice(0, -1));
  batch.expect(rows);
  const last = promptTokens.slice(-1);
  const arrivals = await Promise.all(batch.sequences.map((each) => generate(each, last, WARM_UP_TOKENS + steps)));
  const { rowsPerBatch } = batch;
  await batch.dispose();
  return { tokensPerSecond: jointRate(arrivals, WARM_UP_TOKENS), rowsPerBatch };
}

async function prefill({ tokens, repeats, ...settings }) {
  const batch = await contextOf(1, tokens + 32, settings);
  const [sequence] = batch.sequences;
  let seconds = 0;
  for (let i = -1; i < repeats; i++) {
    const input = await prompt(tokens);
    await sequence.clearHistory();
    const startMs = performance.now();
    const [firstMs] = await generate(sequence, input, 1);
    if (i >= 0) seconds += (firstMs - startMs) / 1000; // the first warms up
  }
  await batch.dispose();
  return { tokensPerSecond: (repeats * tokens) / seconds };
}

/** Running streams alone, then the same beside prompts of which always exactly one is being computed. */
async function mixed({ rows, contextTokens, steps, promptTokens, longestMs, ...settings }) {
  const run = async (isBesidePrompts) => {
    const prompts = isBesidePrompts ? MOST_PROMPTS : 0;
    const batch = await contextOf(rows + prompts, Math.max(2 * contextTokens, promptTokens) + 32, {
      batchTokens: MIXED_BATCH_TOKENS,
      ...settings,
    });
    const running = batch.sequences.slice(0, rows);
    const forPrompts = batch.sequences.slice(rows);
    const context = await prompt(contextTokens);
    const promptsTokens = await Promise.all(forPrompts.map(() => prompt(promptTokens)));
    await fill(running, context.slice(0, -1));
    batch.expect(isBesidePrompts ? rows + 1 : rows);
    const startMs = performance.now();
    const isOver = () => performance.now() - startMs > longestMs;
    let streamsEnded = false;
    const streams = Promise.all(
      running.map((each) => generate(each, context.slice(-1), WARM_UP_TOKENS + steps, isOver)),
    ).finally(() => (streamsEnded = true));
    let computed = 0;
    let computedMs = startMs;
    for (const [index, sequence] of forPrompts.entries()) {
      const [endMs] = await generate(sequence, promptsTokens[index], 1);
      if (streamsEnded) break;
      computed += promptTokens;
      computedMs = endMs;
    }
    const arrivals = await streams;
    const seconds = (Math.max(...arrivals.map((stream) => stream.at(-1))) - startMs) / 1000;
    await batch.dispose();
    return {
      ...interTokenLatency(arrivals, WARM_UP_TOKENS),
      outputTokensPerSecond: arrivals.flat().length / seconds,
      promptTokensPerSecond: computed === 0 ? 0 : (computed / (computedMs - startMs)) * 1000,
    };
  };
  return { alone: await run(false), mixed: await run(true) };
}

const description = { engine: 'node-llama-cpp', llamaCpp: llama.llamaCppRelease.release };
answerCases({ decode, prefill, mixed }, description, () => llama.dispose());
