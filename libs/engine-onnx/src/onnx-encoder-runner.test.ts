import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelConfig } from '#lib/models';
import { compileModel } from './compile/compile-model.js';
import { OnnxEncoderRunner } from './onnx-encoder-runner.js';

interface GoldenCase {
  readonly text: string;
  readonly ids: number[];
  readonly vector: number[];
}

const BATCH_TOKENS = 512;
const folder = fileURLToPath(new URL('../../../test/data/models/bert', import.meta.url));
const goldens = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as GoldenCase[];
const source = { kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: 'bert' } as const;

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, index) => sum + value * b[index]!, 0);
const largestGap = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);

describe('the encoder runner on the tiny BERT', () => {
  const storeFolder = mkdtempSync(join(tmpdir(), 'encoder-'));
  let runner: OnnxEncoderRunner;
  let dimensions: number;
  const rowOf = (vectors: Float32Array, row: number) => vectors.subarray(row * dimensions, (row + 1) * dimensions);

  beforeAll(async () => {
    const { graphPath, manifest } = await compileModel({ source, weights: 'auto', storeFolder });
    expect(manifest).toMatchObject({ weights: 'fp32', embeddingDimensions: 64, contextTokens: 256 });
    dimensions = manifest.embeddingDimensions!;
    const graph = { ...manifest, path: graphPath, dimensions };
    runner = await OnnxEncoderRunner.load(graph, { threads: 1, batchTokens: BATCH_TOKENS });
  });
  afterAll(async () => {
    await runner.close();
    rmSync(storeFolder, { recursive: true });
  });

  it('given the sentences of the golden file, when encoded alone, then the vectors are those of transformers', async () => {
    for (const { ids, vector } of goldens) {
      const vectors = await runner.encode([ids]);
      expect(largestGap(vectors, vector)).toBeLessThan(1e-5);
      expect(dot(vectors, vectors)).toBeCloseTo(1, 5);
    }
  });

  it('given any batch of them, when encoded together, then each vector is what it is alone', async () => {
    const alone: Float32Array[] = [];
    for (const { ids } of goldens) alone.push(await runner.encode([ids]));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(goldens.length - 1), { minLength: 1, maxLength: 12 }), async (chosen) => {
        const together = await runner.encode(chosen.map((index) => goldens[index]!.ids));
        for (const [row, index] of chosen.entries()) {
          expect(largestGap(rowOf(together, row), alone[index]!)).toBeLessThan(1e-5);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('given an input of the whole context, when encoded, then it has a vector; one more token is refused', async () => {
    const whole = Array.from({ length: 256 }, (_, index) => index % 126);
    expect(await runner.encode([whole])).toHaveLength(64);
    await expect(runner.encode([[...whole, 1]])).rejects.toThrow('inputs of 1 to 256 tokens');
    await expect(runner.encode([[126]])).rejects.toThrow('Token 126 is not in a vocabulary of 126');
    await expect(runner.encode([[]])).rejects.toThrow('inputs of 1 to 256 tokens');
    await expect(runner.encode([whole, whole, whole])).rejects.toThrow('at most 512 tokens');
  });

  it('given int8 weights, when encoded, then the vectors point where the exact ones do', async () => {
    const { graphPath, manifest } = await compileModel({ source, weights: 'int8', storeFolder });
    expect(manifest).toMatchObject({ weights: 'int8' });
    const coarse = await OnnxEncoderRunner.load({ ...manifest, path: graphPath, dimensions }, { threads: 1 });
    try {
      for (const { ids, vector } of goldens) expect(dot(await coarse.encode([ids]), vector)).toBeGreaterThan(0.99);
    } finally {
      await coarse.close();
    }
  });
});

describe('the shape of the tiny BERT', () => {
  it('given the files of sentence-transformers, when read, then they say how it is pooled', async () => {
    expect(await modelConfig(source)).toMatchObject({
      architecture: 'bert',
      hiddenActivation: 'gelu',
      encoder: { layerNormEps: 1e-12, positionEmbedding: 'absolute', pooling: 'mean', isNormalized: true },
      contextTokens: 256,
    });
  });
});
