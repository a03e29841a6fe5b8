/**
 * Time to the first token of a prompt of 1,000 tokens, cold and once its prefix is kept, of the embedded engine alone:
 * `node bench/prefix-cache.mjs` after `make build`. Pairs come in turn in one process, so that their ratio means something on
 * a machine that does other things, too. Goal: 30. `--json` prints the figures.
 */
import { loadavg } from 'node:os';
import { loadConfig } from '#lib/config';
import { median } from './engine/statistics.mjs';
import { loadEngine } from './engine-load.mjs';
import { onnxEngineFor } from './onnx-engine.mjs';

const PROMPT_TOKENS = 1_000;
const PAIRS = 5;
const GOAL = 30;

const config = loadConfig();
const engine = await onnxEngineFor(config);
await engine.start(new AbortController().signal);
const { model } = engine.describe();
const ttftMs = { cold: [], warm: [] };
// the second request of a pair is the same as the first, which nobody asked before; the first pair warms up
for (let pair = 0; pair <= PAIRS; pair++) {
  const prompt = Array.from(
    { length: PROMPT_TOKENS },
    (_, i) => 100 + ((pair * 7_919 + i * 31) % (model.vocabularySize - 200)),
  );
  for (const kind of ['cold', 'warm']) {
    const ms = await firstTokenMs(prompt);
    if (pair > 0) ttftMs[kind].push(ms);
  }
}
const state = engine.state();
await engine.stop();

const ratios = ttftMs.cold.map((cold, pair) => cold / ttftMs.warm[pair]);
const report = {
  date: new Date().toISOString(),
  loadAverage: loadavg()[0],
  model: model.modelId,
  weights: model.weights,
  promptTokens: PROMPT_TOKENS,
  cachedTokensPerWarmRequest: state.cachedPromptTokens / (PAIRS + 1),
  coldMs: ttftMs.cold,
  warmMs: ttftMs.warm,
  ratio: { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) },
};
if (process.argv.includes('--json')) console.log(JSON.stringify(report, null, 2));
else {
  const { ratio, date, loadAverage, weights, cachedTokensPerWarmRequest } = report;
  console.log(`${date}  ${model.modelId} (${weights}), ${PROMPT_TOKENS} prompt tokens, load ${loadAverage.toFixed(2)}`);
  console.log(`cold  ${median(ttftMs.cold).toFixed(0)} ms to the first token (median of ${PAIRS})`);
  console.log(`warm  ${median(ttftMs.warm).toFixed(1)} ms, ${cachedTokensPerWarmRequest} tokens from the store`);
  console.log(`ratio ${ratio.median.toFixed(0)} (${ratio.least.toFixed(0)} to ${ratio.most.toFixed(0)}); goal ${GOAL}`);
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
