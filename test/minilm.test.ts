import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#lib/config';
import { compileModel, OnnxEncoderRunner, usableTextFiles } from '#lib/engine-onnx';
import { ModelStore, type ResolvedModel } from '#lib/models';
import { TextModel } from '#lib/tokens';
import { type RunningPlatform, startPlatform } from './support/platform.js';

interface GoldenCase {
  readonly text: string;
  readonly ids: number[];
  readonly vector: number[];
}

/** Vectors of transformers in float32; test/data/models/make-tiny-encoders.py says how. */
const GOLDENS = JSON.parse(
  readFileSync(new URL('data/minilm-golden.json', import.meta.url), 'utf8'),
) as readonly GoldenCase[];

const DIMENSIONS = 384;

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, index) => sum + value * b[index]!, 0);
const largestGap = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);

/** The first run downloads the model into the user's storage folder; later runs find it there. */
describe('all-MiniLM-L6-v2, compared with transformers', () => {
  const compiledFolder = mkdtempSync(join(tmpdir(), 'minilm-compiled-'));
  const { storage } = loadConfig();
  let source: ResolvedModel;

  beforeAll(async () => {
    source = await new ModelStore(storage).pullModel('all-minilm-l6-v2');
  });
  afterAll(() => rmSync(compiledFolder, { recursive: true }));

  it('given the golden texts, when tokenized, then the ids are those of the reference', async () => {
    const model = TextModel.load(await usableTextFiles(source));
    for (const { text, ids } of GOLDENS) expect([...(await model.promptFromText(text))]).toEqual(ids);
  });

  describe.each([
    { weights: 'fp32', largestError: 2e-6, leastCosine: 0.99999 }, // measured 2026-11-28: 2.5e-7 and 1
    { weights: 'int8', largestError: 0.015, leastCosine: 0.998 }, // 7.4e-3 and 0.9990
  ] as const)('with $weights weights', ({ weights, largestError, leastCosine }) => {
    let runner: OnnxEncoderRunner;
    beforeAll(async () => {
      const { graphPath, manifest } = await compileModel({ source, weights, storeFolder: compiledFolder });
      const graph = { ...manifest, path: graphPath, dimensions: manifest.embeddingDimensions! };
      runner = await OnnxEncoderRunner.load(graph, { threads: 1 });
      expect(runner.limits).toMatchObject({ dimensions: DIMENSIONS, contextTokens: 256, vocabularySize: 30_522 });
    });
    afterAll(() => runner?.close());

    it('given the golden texts, when encoded alone, then the vectors are the reference within its error', async () => {
      for (const { ids, vector } of GOLDENS) {
        const encoded = await runner.encode([ids]);
        expect(largestGap(encoded, vector)).toBeLessThan(largestError);
        expect(dot(encoded, vector)).toBeGreaterThan(leastCosine);
      }
    });

    it('given the golden texts, when encoded in one batch, then the vectors are the reference within its error', async () => {
      const vectors = await runner.encode(GOLDENS.map(({ ids }) => ids));
      const gap = largestGap(
        vectors,
        GOLDENS.flatMap(({ vector }) => vector),
      );
      expect(gap).toBeLessThan(largestError);
    });

    it('given sentences, when compared, then those that mean nearly the same are nearest', async () => {
      const vectors = await runner.encode(GOLDENS.slice(0, 3).map(({ ids }) => ids));
      const [cat, feline, rates] = [0, 1, 2].map((row) => vectors.subarray(row * DIMENSIONS, (row + 1) * DIMENSIONS));
      expect(dot(cat!, feline!)).toBeGreaterThan(dot(cat!, rates!) + 0.3);
      expect(dot(cat!, feline!)).toBeGreaterThan(dot(feline!, rates!) + 0.3);
    });
  });

  describe('through the platform', () => {
    let platform: RunningPlatform;
    let client: OpenAI;
    beforeAll(async () => {
      platform = await startPlatform({ yaml: 'models:\n  - id: all-minilm-l6-v2\n' });
      client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
    });
    afterAll(() => platform?.stop());

    it.each([undefined, 'float', 'base64'] as const)(
      'given the golden texts, when the openai client asks with encoding_format %s, then the vectors are the reference',
      async (encoding_format) => {
        const input = GOLDENS.map(({ text }) => text);
        const { data } = await client.embeddings.create({ model: 'all-minilm-l6-v2', input, encoding_format });
        expect(data).toHaveLength(GOLDENS.length);
        for (const [index, { vector }] of GOLDENS.entries()) {
          const { embedding } = data[index]!;
          const elements = encoding_format === 'base64' ? fromBase64(String(embedding)) : embedding;
          expect(elements).toHaveLength(DIMENSIONS);
          expect(largestGap(elements, vector)).toBeLessThan(2e-6);
        }
      },
    );
  });
});

function fromBase64(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
}
