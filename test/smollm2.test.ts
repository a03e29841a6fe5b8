import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#lib/config';
import { compileModel, type DecoderGraph, hasByteProducts, OnnxModelRunner, type WeightsForm } from '#lib/engine-onnx';
import { ModelStore, type ResolvedModel } from '#lib/models';

interface Answer {
  readonly tokens: number[];
  /** Difference between the two largest logits at each step. */
  readonly margins: number[];
}

interface GoldenCase {
  readonly name: string;
  readonly promptTokens: number[];
  /** Of the file as it is: llama.cpp rounds activations to 8 bits beside quantized weights. */
  readonly quantized: Answer;
  /** Of the same weights as float32, computed in float32. */
  readonly float32: Answer;
}

/** Recorded by bench/node-llama-cpp; says there how. */
const GOLDEN = JSON.parse(readFileSync(new URL('data/smollm2-golden.json', import.meta.url), 'utf8')) as {
  cases: GoldenCase[];
};
const CONTEXT_TOKENS = 512;
const BYTE_PRODUCTS = (await hasByteProducts()) ? (['w8a8'] as const) : [];

describe('SmolLM2-135M-Instruct, compared with llama.cpp on the same GGUF', () => {
  const compiledFolder = mkdtempSync(join(tmpdir(), 'smollm2-compiled-'));
  let source: ResolvedModel;
  let runner: OnnxModelRunner | undefined;

  beforeAll(async () => {
    const { storage } = loadConfig();
    source = await new ModelStore(storage).pullModel('smollm2-135m-instruct');
  });
  afterAll(async () => {
    await runner?.close();
    rmSync(compiledFolder, { recursive: true });
  });

  async function load(weights: WeightsForm): Promise<OnnxModelRunner> {
    await runner?.close();
    const compiled = await compileModel({
      source,
      weights,
      contextTokens: CONTEXT_TOKENS,
      storeFolder: compiledFolder,
    });
    const graph: DecoderGraph = { ...compiled.manifest, path: compiled.graphPath };
    runner = await OnnxModelRunner.load(graph, { threads: 2, kvBytes: 64 * 1024 * 1024 });
    return runner;
  }

  it('given fp32, when run greedily, then every token of every prompt is equal', async () => {
    await load('fp32');
    for (const { name, promptTokens, float32 } of GOLDEN.cases) {
      const tokens = await greedy(runner!, promptTokens, float32.tokens.length);
      expect(tokens, name).toEqual(float32.tokens);
    }
  }, 300_000);

  /**
   * Integer kernels round activations, llama.cpp's and ours differently, so a near tie may fall either way and the texts
   * part there; llama.cpp's own answers differ between its batch sizes. Each step is therefore compared after the
   * reference's own tokens, and what differs must have been nearly a tie.
   */
  it.each(['int4', 'int8', ...BYTE_PRODUCTS] as const)(
    'given %s, when run after the reference tokens, then only near ties fall otherwise',
    async (weights) => {
      await load(weights);
      for (const reference of ['quantized', 'float32'] as const) {
        const steps: { isEqual: boolean; margin: number }[] = [];
        for (const { promptTokens, [reference]: answer } of GOLDEN.cases) {
          const tokens = await greedy(runner!, promptTokens, answer.tokens.length, answer.tokens);
          tokens.forEach((token, step) => {
            steps.push({ isEqual: token === answer.tokens[step], margin: answer.margins[step]! });
          });
        }
        const different = steps.filter(({ isEqual }) => !isEqual);
        expect(different.length / steps.length).toBeLessThan(0.1);
        expect(Math.max(...different.map(({ margin }) => margin))).toBeLessThan(1);
      }
    },
    300_000,
  );
});

/**
 * The likeliest token at each step.
 * @param forced  tokens to go on with instead of the likeliest
 */
async function greedy(
  runner: OnnxModelRunner,
  promptTokens: readonly number[],
  count: number,
  forced?: readonly number[],
): Promise<number[]> {
  const { chunkTokens } = runner.limits;
  let logits: Float32Array | undefined;
  for (let position = 0; position < promptTokens.length; position += chunkTokens) {
    const tokenIds = promptTokens.slice(position, position + chunkTokens);
    const logitsFor = position + chunkTokens >= promptTokens.length ? 'last' : 'none';
    logits = (await runner.prefill({ slot: 0, position, tokenIds, logitsFor }))?.data;
  }
  const tokens = [likeliest(logits!)];
  while (tokens.length < count) {
    const step = tokens.length - 1;
    const row = { slot: 0, position: promptTokens.length + step, tokenId: forced?.[step] ?? tokens[step]! };
    tokens.push(likeliest((await runner.decode([row])).data));
  }
  return tokens;
}

function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  return best;
}
