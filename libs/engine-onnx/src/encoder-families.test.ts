import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelConfig } from '#lib/models';
import { TextModel } from '#lib/tokens';
import { compileModel } from './compile/compile-model.js';
import { OnnxEncoderRunner } from './onnx-encoder-runner.js';
import { usableTextFiles } from './usable-text-files.js';

interface GoldenCase {
  /** Absent where the reference was given token ids. */
  readonly text?: string;
  readonly ids: number[];
  readonly vector: number[];
}

/** Largest difference of an element from sentence-transformers, where its vectors have elements up to 3. */
const TOLERANCE = 1e-5;

const largestGap = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);

describe.each([
  ['distilbert', 'distilbert.', { pooling: 'mean', isNormalized: false }, 160],
  ['roberta', 'roberta.', { pooling: 'cls', isNormalized: true, positionPadTokenId: 1 }, 128],
  ['xlm-roberta', 'roberta.', { pooling: 'max', isNormalized: true, positionPadTokenId: 1 }, 160],
  ['camembert', 'roberta.', { pooling: 'cls', isNormalized: false, positionPadTokenId: 1 }, 160],
  ['mpnet', 'mpnet.', { pooling: 'mean', isNormalized: true, positionPadTokenId: 1 }, 160],
])('the encoder runner on the tiny %s', (name, headPrefix, shape, contextTokens) => {
  const folder = fileURLToPath(new URL(`../../../test/data/models/${name}`, import.meta.url));
  const goldens = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as GoldenCase[];
  const source = { kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: name } as const;
  const storeFolder = mkdtempSync(join(tmpdir(), 'encoder-families-'));
  let runner: OnnxEncoderRunner;

  async function runnerOf(from: typeof source): Promise<OnnxEncoderRunner> {
    const { graphPath, manifest } = await compileModel({ source: from, weights: 'fp32', storeFolder });
    const graph = { ...manifest, path: graphPath, dimensions: manifest.embeddingDimensions! };
    return OnnxEncoderRunner.load(graph, { threads: 1, batchTokens: 1_024 });
  }

  beforeAll(async () => {
    runner = await runnerOf(source);
  });
  afterAll(async () => {
    await runner.close();
    rmSync(storeFolder, { recursive: true });
  });

  it('given its files, when read, then they say how vectors are made of it and how long inputs may be', async () => {
    const { encoder, contextTokens: context } = await modelConfig(source);
    expect(encoder).toEqual({ layerNormEps: 1e-12, positionEmbedding: 'absolute', ...shape });
    expect(context).toBe(contextTokens);
    expect(runner.limits.contextTokens).toBe(contextTokens);
  });

  it('given the golden texts, when tokenized, then the ids are those of the reference', async () => {
    const model = TextModel.load(await usableTextFiles(source));
    const texts = goldens.filter(({ text }) => text !== undefined);
    expect(texts.length).toBeGreaterThan(4);
    for (const { text, ids } of texts) expect([...(await model.promptFromText(text!))]).toEqual(ids);
  });

  it('given golden ids, one input as long as the context, when encoded alone, then the vectors are the reference', async () => {
    expect(goldens.some(({ ids }) => ids.length === contextTokens)).toBe(true);
    for (const { ids, vector } of goldens) {
      expect(largestGap(await runner.encode([ids]), vector)).toBeLessThan(TOLERANCE);
    }
  });

  it('given golden ids of different lengths, when encoded in one batch, then the vectors are the reference', async () => {
    const short = goldens.filter(({ ids }) => ids.length < 100);
    const vectors = await runner.encode(short.map(({ ids }) => ids));
    expect(
      largestGap(
        vectors,
        short.flatMap(({ vector }) => vector),
      ),
    ).toBeLessThan(TOLERANCE);
  });

  it('given a checkpoint that was saved with a head on top, when compiled, then its encoder is found', async () => {
    const withHead = join(storeFolder, 'with-head');
    cpSync(folder, withHead, { recursive: true });
    prefixTensors(join(withHead, 'model.safetensors'), headPrefix);
    const other = await runnerOf({ ...source, folder: withHead, contentKey: `${name}-with-head` });
    try {
      const [{ ids, vector }] = goldens as [GoldenCase];
      expect(largestGap(await other.encode([ids]), vector)).toBeLessThan(TOLERANCE);
    } finally {
      await other.close();
    }
  });
});

/** Renames the tensors of a safetensors file: 8 bytes that say how long the header is, the header as JSON, the data. */
function prefixTensors(path: string, prefix: string): void {
  const file = readFileSync(path);
  const end = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString('utf8', 8, end)) as Record<string, unknown>;
  const renamed = Object.entries(header).map(([key, value]) => [key.startsWith('__') ? key : prefix + key, value]);
  const json = Buffer.from(JSON.stringify(Object.fromEntries(renamed)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, file.subarray(end)]));
}
