/**
 * Records what llama.cpp answers to some prompts, greedily, for test/smollm2.test.ts to compare with.
 *
 *   npm install && node record-golden.mjs MODEL.gguf ../../test/data/smollm2-golden.json
 *
 * Twice: from the file as it is, where llama.cpp rounds activations to 8 bits and KV to 16, and from the same weights
 * as float32 with KV in float32, where nothing is rounded. Token ids come from llama.cpp's own tokenizer. `margins`
 * holds the difference between the two largest logits at each step: where it is small, another rounding, even another
 * batch size or thread count of llama.cpp itself, may choose the other token. `ours`, written by hand, says how many
 * leading tokens of ours were equal; it is kept.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { PROMPTS } from './prompts.mjs';
import { dequantizeGguf } from './rewrite-gguf.mjs';

const GENERATED_TOKENS = 24;
const FLOAT_KV = { flashAttention: false, experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32' };
const WHOLE_DISTRIBUTION = { probabilities: true, options: { temperature: 1, topK: 0, topP: 1, minP: 0 } };

const [modelPath, outputPath] = process.argv.slice(2);
if (outputPath === undefined) throw new Error('usage: node record-golden.mjs MODEL.gguf OUTPUT.json');

const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error });

/** The likeliest token at each step, with its margin; ends after an end-of-generation token. */
async function greedy(model, sequence, promptTokens) {
  await sequence.clearHistory();
  const tokens = [];
  const margins = [];
  let input = promptTokens;
  while (tokens.length < GENERATED_TOKENS) {
    const last = [input.at(-1), { generateNext: WHOLE_DISTRIBUTION }];
    const outputs = await sequence.controlledEvaluate([...input.slice(0, -1), last]);
    const [[token, first], [, second]] = [...outputs.at(-1).next.probabilities].sort((a, b) => b[1] - a[1]);
    tokens.push(token);
    margins.push(Number(Math.log(first / second).toFixed(4)));
    if (model.isEogToken(token)) break;
    input = [token];
  }
  return { tokens, text: model.detokenize(tokens, true), margins };
}

async function record(path, contextOptions) {
  const model = await llama.loadModel({ modelPath: path });
  const context = await model.createContext({ contextSize: 1024, threads: 2, ...contextOptions });
  const sequence = context.getSequence();
  const answers = [];
  for (const { text } of PROMPTS) {
    const promptTokens = model.tokenize(text, true);
    answers.push({ promptTokens, ...(await greedy(model, sequence, promptTokens)) });
  }
  await model.dispose();
  return answers;
}

async function recordFloat32(path) {
  const folder = mkdtempSync(join(tmpdir(), 'dequantized-'));
  try {
    const floatPath = join(folder, 'model-f32.gguf');
    dequantizeGguf(path, floatPath);
    return await record(floatPath, FLOAT_KV);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const quantized = await record(modelPath, {});
const float32 = await recordFloat32(modelPath);
const cases = PROMPTS.map(({ name }, index) => {
  const { promptTokens, ...quantizedAnswer } = quantized[index];
  const { promptTokens: _, ...floatAnswer } = float32[index];
  return { name, promptTokens, quantized: quantizedAnswer, float32: floatAnswer };
});

const packageFile = createRequire(import.meta.url)
  .resolve('node-llama-cpp')
  .replace(/dist\/.*$/, 'package.json');
const ours = existsSync(outputPath) ? JSON.parse(readFileSync(outputPath, 'utf8')).ours : undefined;
const golden = {
  recordedIn: 'bench/node-llama-cpp',
  command: 'npm install && node record-golden.mjs MODEL.gguf ../../test/data/smollm2-golden.json',
  nodeLlamaCpp: JSON.parse(readFileSync(packageFile, 'utf8')).version,
  llamaCpp: llama.llamaCppRelease.release,
  model: basename(modelPath),
  modelSha256: createHash('sha256').update(readFileSync(modelPath)).digest('hex'),
  ours,
  cases,
};
writeFileSync(outputPath, `${oneLineArrays(JSON.stringify(golden, null, 1))}\n`);
for (const { name, promptTokens, ...answers } of cases) {
  for (const [kind, { text, margins }] of Object.entries(answers)) {
    const smallest = Math.min(...margins);
    console.log(
      `${name}, ${kind}: ${promptTokens.length} tokens, smallest margin ${smallest}: ${JSON.stringify(text)}`,
    );
  }
}
await llama.dispose();

function oneLineArrays(json) {
  return json.replace(
    /\[\n\s+(-?[\d.]+(?:,\n\s+-?[\d.]+)*)\n\s+\]/g,
    (_, numbers) => `[${numbers.replace(/\s+/g, '')}]`,
  );
}
