import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ResolvedModel } from '#lib/models';
import type { WeightsForm } from '../compiled-model.js';
import { OnnxModelRunner } from '../onnx-model-runner.js';
import { compileModel } from './compile-model.js';

interface GoldenCase {
  readonly prompt: number[];
  readonly top: [number, number][];
  readonly greedy: number[];
}

function sourceOf(name: string): ResolvedModel & { kind: 'hf-folder' } {
  const folder = fileURLToPath(new URL(`../../../../test/data/models/${name}`, import.meta.url));
  return { kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: name };
}

const goldenOf = (folder: string) =>
  (JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as { cases: GoldenCase[] }).cases;
const newStore = () => mkdtempSync(join(tmpdir(), 'hydra-compiled-'));

async function runnerOf(name: string, weights: WeightsForm | 'auto' = 'fp32') {
  const compiled = await compileModel({ source: sourceOf(name), weights, storeFolder: newStore() });
  const { layers, kvHeads, headDim, vocabularySize, contextTokens } = compiled.manifest;
  const graph = { path: compiled.graphPath, layers, kvHeads, headDim, vocabularySize, contextTokens };
  return OnnxModelRunner.load(graph, { threads: 1, kvBytes: 8 << 20 });
}

function argmax(logits: Float32Array): number {
  return logits.reduce((best, value, id) => (value > (logits[best] as number) ? id : best), 0);
}

async function greedy(
  runner: OnnxModelRunner,
  prompt: readonly number[],
  count: number,
): Promise<{ first: Float32Array; ids: number[] }> {
  const prefilled = await runner.prefill({ slot: 0, position: 0, tokenIds: prompt, wantsLogits: true });
  const first = Float32Array.from(prefilled?.data ?? []);
  const ids = [argmax(first)];
  while (ids.length < count) {
    const { data } = await runner.decode([
      { slot: 0, position: prompt.length + ids.length - 1, tokenId: ids.at(-1) as number },
    ]);
    ids.push(argmax(data));
  }
  return { first, ids };
}

describe.each(['llama', 'llama-rope3'])('compileModel on the tiny model %s', (name) => {
  it('given fp32, when run, then logits are within 1e-3 of the reference and 24 greedy tokens equal', async () => {
    const runner = await runnerOf(name);
    for (const { prompt, top, greedy: expected } of goldenOf(sourceOf(name).folder)) {
      const { first, ids } = await greedy(runner, prompt, expected.length);
      for (const [id, logit] of top) expect(Math.abs((first[id] as number) - logit)).toBeLessThan(1e-3);
      expect(ids).toEqual(expected);
    }
    await runner.close();
  });

  it.each([
    ['int8', 0.2],
    ['int4', 2],
  ] as const)('given %s, when run, then the logits stay near the reference', async (weights, tolerance) => {
    const runner = await runnerOf(name, weights);
    for (const { prompt, top } of goldenOf(sourceOf(name).folder)) {
      const { first } = await greedy(runner, prompt, 1);
      const meanError = top.reduce((sum, [id, logit]) => sum + Math.abs((first[id] as number) - logit), 0) / top.length;
      expect(meanError).toBeLessThan(tolerance);
    }
    await runner.close();
  });
});

describe('compileModel', () => {
  it('given a model compiled before, when asked again, then the same folder is found and nothing is read', async () => {
    const storeFolder = newStore();
    const first = await compileModel({ source: sourceOf('llama'), weights: 'auto', storeFolder });
    const progress: number[] = [];
    const again = await compileModel({
      source: sourceOf('llama'),
      weights: 'auto',
      storeFolder,
      onProgress: ({ bytesDone }) => progress.push(bytesDone),
    });
    expect(again).toEqual(first);
    expect(first.manifest.weights).toBe('fp32');
    expect(progress).toEqual([]);
  });

  it('given an abort while compiling, when it ends, then the store is empty', async () => {
    const storeFolder = newStore();
    const aborted = new AbortController();
    const compiling = compileModel({
      source: sourceOf('llama'),
      weights: 'fp32',
      storeFolder,
      signal: aborted.signal,
      onProgress: () => aborted.abort(),
    });
    await expect(compiling).rejects.toThrow();
    expect(readdirSync(storeFolder).filter((entry) => !entry.startsWith('.lock'))).toEqual([]);
  });

  it('given a context beyond the model, when compiled, then it is refused with both figures', async () => {
    await expect(
      compileModel({ source: sourceOf('llama'), weights: 'fp32', contextTokens: 1024, storeFolder: newStore() }),
    ).rejects.toThrow('contextTokens is 1024, but the model was made for 512');
  });
});
