/**
 * Time to the first token of a prompt of 1,000 tokens of the embedded engine alone: cold, warm (when it comes again), from the
 * store (when others have had all slots meanwhile), and begin (from the store, with another last token, so that its last tokens are
 * computed): `node bench/prefix-cache.mjs` after `make build`. Rounds come in turn in one process, so that their ratios mean something
 * on a machine that does other things, too. Goal: 30. `--json` prints the figures.
 */
import { loadavg } from 'node:os';
import { loadConfig } from '#lib/config';
import { numberedPrompt } from './engine/prompts.mjs';
import { median, ratioSpread, ratioText } from './engine/statistics.mjs';
import { loadEngine } from './engine-load.mjs';
import { onnxEngineFor } from './onnx-engine.mjs';

const PROMPT_TOKENS = 1_000;
const ROUNDS = 5;
const GOAL = 30;
const KINDS = ['cold', 'warm', 'store', 'begin'];

const config = loadConfig();
const engine = await onnxEngineFor(config);
await engine.start(new AbortController().signal);
const { model } = engine.describe();
const ttftMs = { cold: [], warm: [], store: [], begin: [] };
const cachedTokens = {};
// the first round warms up
for (let round = 0; round <= ROUNDS; round++) {
  const prompt = numberedPrompt(model.vocabularySize, round, PROMPT_TOKENS);
  for (const kind of KINDS) {
    if (kind === 'store' || kind === 'begin') await takeAllSlots(round);
    const before = engine.state().cachedPromptTokens;
    const ms = await firstTokenMs(kind === 'begin' ? withAnotherEnd(prompt) : prompt);
    cachedTokens[kind] = engine.state().cachedPromptTokens - before;
    if (round > 0) ttftMs[kind].push(ms);
  }
}
await engine.stop();

const report = {
  date: new Date().toISOString(),
  loadAverage: loadavg()[0],
  model: model.modelId,
  weights: model.weights,
  promptTokens: PROMPT_TOKENS,
  cachedTokens,
  ttftMs,
  ratios: Object.fromEntries(KINDS.slice(1).map((kind) => [kind, ratioSpread(ttftMs.cold, ttftMs[kind])])),
};
if (process.argv.includes('--json')) console.log(JSON.stringify(report, null, 2));
else {
  const { date, loadAverage, weights, ratios } = report;
  console.log(`${date}  ${model.modelId} (${weights}), ${PROMPT_TOKENS} prompt tokens, load ${loadAverage.toFixed(2)}`);
  for (const kind of KINDS) {
    const ratio = ratios[kind] && `, ${ratioText(ratios[kind], 0)}`;
    console.log(
      `${kind.padEnd(5)} ${median(ttftMs[kind]).toFixed(1)} ms, ${cachedTokens[kind]} tokens kept${ratio ?? ''}`,
    );
  }
  console.log(`goal  ${GOAL}`);
}

function withAnotherEnd(prompt) {
  return [...prompt.slice(0, -1), (prompt.at(-1) + 1) % model.vocabularySize];
}

/** Short prompts, one after another, until each slot has been another one's. */
async function takeAllSlots(round) {
  for (let slot = 0; slot < model.maxRunningSequences; slot++) {
    await firstTokenMs(numberedPrompt(model.vocabularySize, 1_000 + round * model.maxRunningSequences + slot, 20));
  }
}

async function firstTokenMs(prompt) {
  const { ttftMs: times } = await loadEngine(engine, {
    concurrency: 1,
    requests: 1,
    warmUp: 0,
    maxTokens: 1,
    promptOf: () => prompt,
  });
  return times[0];
}
