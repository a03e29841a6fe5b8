import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { ResolvedModel } from '#lib/models';
import type { WeightsForm } from '../compiled-model.js';
import { OnnxModelRunner } from '../onnx-model-runner.js';
import { readCompiledModel } from '../read-compiled-model.js';
import { type CompileOptions, compileModel } from './compile-model.js';

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
const folders: string[] = [];
function newStore(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-compiled-'));
  folders.push(folder);
  return folder;
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

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
  const prefilled = await runner.prefill({ slot: 0, position: 0, tokenIds: prompt, logitsFor: 'last' });
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

/** A copy of the tiny llama whose configuration is changed. */
function variantOf(change: Record<string, unknown>, files: readonly string[] = ['model.safetensors']): ResolvedModel {
  const original = sourceOf('llama').folder;
  const folder = newStore();
  for (const file of files) copyFileSync(join(original, file), join(folder, file));
  const config = JSON.parse(readFileSync(join(original, 'config.json'), 'utf8'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...change }));
  return { kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: JSON.stringify(change) };
}

/** Names of a folder's files, with their content as base64. */
const filesOf = (folder: string) =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString('base64')]));

const compiledEntries = (storeFolder: string) =>
  readdirSync(storeFolder).filter((entry) => !/^\.(lock|request)-/.test(entry));

describe('compileModel', () => {
  it('given a model compiled before, when asked again, then it is found though its source cannot be read', async () => {
    const storeFolder = newStore();
    const source = variantOf({});
    const first = await compileModel({ source, weights: 'auto', storeFolder });
    rmSync((source as { folder: string }).folder, { recursive: true });
    expect(await compileModel({ source, weights: 'auto', storeFolder })).toEqual(first);
    expect(first.manifest).toMatchObject({ weights: 'fp32', contextTokens: 512, eosTokenIds: [1] });
  });

  it('given `auto` and the form that it chooses, when both are asked for, then one compiled model serves them', async () => {
    const storeFolder = newStore();
    const automatic = await compileModel({ source: sourceOf('llama'), weights: 'auto', storeFolder });
    expect(await compileModel({ source: sourceOf('llama'), weights: 'fp32', storeFolder })).toEqual(automatic);
    expect(compiledEntries(storeFolder)).toHaveLength(1);
  });

  it('given the same content at two places, when compiled, then the fingerprints are equal, and differ between forms', async () => {
    const fingerprintOf = async (source: ResolvedModel, weights: WeightsForm) =>
      (await compileModel({ source, weights, storeFolder: newStore() })).manifest.fingerprint;
    const fingerprint = await fingerprintOf(sourceOf('llama'), 'int8');
    expect(await fingerprintOf(variantOf({}), 'int8')).toBe(fingerprint);
    expect(await fingerprintOf(sourceOf('llama'), 'int4')).not.toBe(fingerprint);
    expect(await fingerprintOf(variantOf({ rms_norm_eps: 1e-4 }), 'int8')).not.toBe(fingerprint);
  });

  it.each([
    ['weights.bin', (path: string) => truncateSync(path, 1000)],
    ['model.onnx', (path: string) => rmSync(path)],
    ['decode.onnx', (path: string) => rmSync(path)],
    ['decode-adapters.onnx', (path: string) => truncateSync(path, 1000)],
    ['manifest.json', (path: string) => writeFileSync(path, '{"compilerRevision": 0}')],
  ])('given a damaged %s in the store, when asked again, then it is compiled again', async (file, damage) => {
    const storeFolder = newStore();
    const first = await compileModel({ source: sourceOf('llama'), weights: 'int8', storeFolder });
    damage(join(first.folder, file));
    await expect(readCompiledModel(first.folder)).rejects.toThrow(`holds no usable compiled model: its ${file}`);
    expect(await compileModel({ source: sourceOf('llama'), weights: 'int8', storeFolder })).toEqual(first);
  });

  it.each(['int4', 'w8a8'] as const)(
    'given progress is followed, when a model is compiled to %s, then it rises to all bytes of the checkpoint',
    async (weights) => {
      const seen: { bytesDone: number; bytesTotal: number }[] = [];
      const onProgress = (progress: (typeof seen)[number]) => seen.push(progress);
      await compileModel({ source: sourceOf('llama'), weights, storeFolder: newStore(), onProgress });
      expect(seen.map(({ bytesDone }) => bytesDone)).toEqual(
        seen.map(({ bytesDone }) => bytesDone).toSorted((a, b) => a - b),
      );
      expect(seen.at(-1)?.bytesDone).toBe(seen.at(-1)?.bytesTotal);
    },
  );

  it.each(['fp32', 'int8', 'int4', 'w8a8'] as const)(
    'given aborts after any tensors of %s, when compiled in the end, then the folder is that of an undisturbed compilation',
    async (weights) => {
      const options = { source: sourceOf('llama'), weights } as const;
      const undisturbed = await compileModel({ ...options, storeFolder: newStore() });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 29 }), { minLength: 1, maxLength: 3 }), async (aborts) => {
          const storeFolder = newStore();
          for (const afterTensors of aborts) {
            const aborted = new AbortController();
            let tensors = 0;
            const onProgress = () => {
              if (++tensors === afterTensors) aborted.abort();
            };
            const compiling = compileModel({ ...options, storeFolder, signal: aborted.signal, onProgress });
            await expect(compiling).rejects.toThrow('aborted');
            expect(compiledEntries(storeFolder)).toEqual([expect.stringMatching(/^\.unfinished-/)]);
          }
          const compiled = await compileModel({ ...options, storeFolder });
          expect(filesOf(compiled.folder)).toEqual(filesOf(undisturbed.folder));
          expect(compiledEntries(storeFolder)).toHaveLength(1);
        }),
        { numRuns: 8 },
      );
    },
  );

  it.each<[string, ResolvedModel, Partial<CompileOptions>, string]>([
    [
      'a context beyond the model',
      sourceOf('llama'),
      { contextTokens: 1024 },
      'contextTokens is 1024, but the model was made for 512',
    ],
    [
      'no context',
      sourceOf('llama'),
      { contextTokens: 0 },
      'contextTokens is 0, but the model was made for 512: take 1 to 512.',
    ],
    [
      'an unknown architecture',
      variantOf({ model_type: 'mamba' }),
      {},
      'The architecture "mamba" is not known; known are llama, bert, roberta, xlm-roberta, camembert, distilbert, mpnet.',
    ],
    [
      'an activation that is not SiLU',
      variantOf({ hidden_act: 'gelu' }),
      {},
      'its activation is gelu, and only silu is known',
    ],
    ['a sliding window', variantOf({ sliding_window: 16 }), {}, 'its attention looks back over a sliding window'],
    [
      'more layers than the checkpoint has',
      variantOf({ num_hidden_layers: 4 }),
      {},
      'The checkpoint has no tensor model.layers.3.input_layernorm.weight.',
    ],
    [
      'a hidden size that is not that of the checkpoint',
      variantOf({ hidden_size: 32 }),
      {},
      "The tensor model.embed_tokens.weight is [512, 64], where the model's configuration asks for [512, 32].",
    ],
    ['no weights', variantOf({}, []), {}, 'model.safetensors cannot be opened (ENOENT).'],
  ])(
    'given %s, when compiled, then it is refused with a sentence and nothing stays',
    async (_, source, asked, message) => {
      const storeFolder = newStore();
      await expect(compileModel({ source, weights: 'fp32', storeFolder, ...asked })).rejects.toThrow(message);
      expect(readdirSync(storeFolder)).toEqual([]);
    },
  );
});
