import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ResolvedModel } from '#lib/models';
import { type CompiledForms, compileForms, PrefillFormError } from './compile/compile-forms.js';
import { OnnxModelRunner } from './onnx-model-runner.js';

const folder = mkdtempSync(join(tmpdir(), 'prefill-copy-'));
afterAll(() => rmSync(folder, { recursive: true }));

function sourceOf(name: string): ResolvedModel {
  const path = fileURLToPath(new URL(`../../../test/data/models/${name}`, import.meta.url));
  return { kind: 'hf-folder', folder: path, id: path, origin: 'folder', bytes: 0, contentKey: name };
}

const compile = (parts: Partial<Parameters<typeof compileForms>[0]> = {}) =>
  compileForms({
    source: sourceOf('llama'),
    weights: 'int8',
    prefillWeights: 'auto',
    memoryBytes: 8e9,
    storeFolder: folder,
    ...parts,
  });

describe('which models have a copy in fp32 for their prompts', () => {
  it.each([
    ['a small model in int8 or int4', { weights: 'int8' }, true],
    ['where it is not wanted', { prefillWeights: 'same' }, false],
    ['little memory', { memoryBytes: 1_000 }, false],
    ['little memory, asked for', { memoryBytes: 1_000, prefillWeights: 'fp32' }, true],
    ['fp32 for all', { weights: 'fp32', prefillWeights: 'fp32' }, false],
    ['w8a8, which is for prompts itself', { weights: 'w8a8' }, false],
    ['w8a8, asked for', { weights: 'w8a8', prefillWeights: 'fp32' }, true],
    ['an encoder in int8', { source: sourceOf('bert'), weights: 'int8' }, false],
  ] as const)('given %s, then it is as said', async (_, parts, hasCopy) => {
    const { compiled, prefill } = await compile(parts);
    expect(prefill?.manifest.weights).toBe(hasCopy ? 'fp32' : undefined);
    expect(prefill?.folder).not.toBe(compiled.folder);
  });

  it('given an encoder, when a copy is asked for, then the error says what to take', async () => {
    const source = sourceOf('bert');
    await expect(compile({ source, weights: 'int8', prefillWeights: 'fp32' })).rejects.toThrow(PrefillFormError);
  });

  it('given any of its forms, when progress is told, then it says of which', async () => {
    const seen = new Set<string>();
    const storeFolder = join(folder, 'other');
    await compile({ storeFolder, onProgress: ({ weights }) => seen.add(weights) });
    expect([...seen]).toEqual(['int8', 'fp32']);
  });
});

describe('a runner with a copy in fp32 for prompts', () => {
  let forms: CompiledForms;
  beforeAll(async () => {
    forms = await compile();
  });
  const load = ({ compiled, prefill }: CompiledForms) =>
    OnnxModelRunner.load(
      { ...compiled.manifest, path: (prefill && compiled.decodeGraphPath) ?? compiled.graphPath },
      { threads: 2, kvBytes: 8 << 20, chunkTokens: 200, prefillGraphPath: prefill?.graphPath },
    );
  const logitsOf = async (runner: OnnxModelRunner, tokenIds: readonly number[], position: number, slot = 0) =>
    Float32Array.from((await runner.prefill({ slot, position, tokenIds, logitsFor: 'last' }))!.data);

  it('given any prompt, cut anywhere at even positions, then its logits are the same to the bit, and those of fp32', async () => {
    const [runner, floats] = [await load(forms), await load(await compile({ weights: 'fp32' }))];
    const { vocabularySize } = runner.limits;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(vocabularySize - 1), { minLength: 1, maxLength: 200 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 6 }),
        async (prompt, pairs) => {
          const whole = await logitsOf(runner, prompt, 0);
          let position = 0;
          for (const size of pairs.map((pair) => 2 * pair)) {
            if (position + size >= prompt.length) break;
            const tokenIds = prompt.slice(position, position + size);
            await runner.prefill({ slot: 1, position, tokenIds, logitsFor: 'none' });
            position += size;
          }
          expect(await logitsOf(runner, prompt.slice(position), position, 1)).toEqual(whole);
          const exact = await logitsOf(floats, prompt, 0);
          for (const [id, logit] of whole.entries()) expect(logit).toBeCloseTo(exact[id]!, 3);
        },
      ),
      { numRuns: 40 },
    );
    await Promise.all([runner.close(), floats.close()]);
  });

  it('given any prompts together, then the logits and the KV of each are to the bit what they are alone', async () => {
    const runner = await load(forms);
    const { vocabularySize } = runner.limits;
    const tokenIds = fc.array(fc.nat(vocabularySize - 1), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(fc.array(tokenIds, { minLength: 2, maxLength: 5 }), fc.nat(3), async (prompts, firstSlot) => {
        const together = prompts.map((ids, index) => ({ slot: firstSlot + index, tokenIds: ids }));
        const first = (await runner.prefillTogether(together)).data.slice();
        for (const [index, ids] of prompts.entries()) {
          const alone = await logitsOf(runner, ids, 0, 9);
          expect(first.slice(index * vocabularySize, (index + 1) * vocabularySize)).toEqual(alone);
          const next = async (slot: number) =>
            Float32Array.from((await runner.decode([{ slot, position: ids.length, tokenId: 3 }])).data);
          expect(await next(firstSlot + index)).toEqual(await next(9));
        }
      }),
      { numRuns: 30 },
    );
    const refused = (slots: number[], length = 4) =>
      expect(runner.prefillTogether(slots.map((slot) => ({ slot, tokenIds: new Array<number>(length).fill(1) }))))
        .rejects;
    await refused([0]).toThrow('A run has 2 to');
    await refused([0, 1, 2], 200).toThrow('not 3 of 200');
    await refused([0, 2]).toThrow('neighbouring slots, in order');
    await refused([1, 0]).toThrow('neighbouring slots, in order');
    await runner.close();
  });

  it('given a prompt, when it is decoded from there, then rows are computed in the other form over the same KV', async () => {
    const [runner, same] = [await load(forms), await load({ ...forms, prefill: undefined })];
    const prompt = [5, 6, 7, 8, 9];
    const [copied, own] = [await logitsOf(runner, prompt, 0), await logitsOf(same, prompt, 0)];
    expect(copied).not.toEqual(own); // int8 rounds
    const row = [{ slot: 0, position: prompt.length, tokenId: 10 }];
    const decoded = Float32Array.from((await runner.decode(row)).data);
    const floats = await logitsOf(runner, [...prompt, 10], 0, 1);
    expect(decoded).not.toEqual(floats);
    for (const [id, logit] of decoded.entries()) expect(Math.abs(logit - floats[id]!)).toBeLessThan(0.5);
    await Promise.all([runner.close(), same.close()]);
  });

  it('given rows of any lengths, when they decode in the graph for single tokens, then each is to the bit as alone and near the other graph', async () => {
    const [runner, same] = [await load(forms), await load({ ...forms, prefill: undefined })];
    const { vocabularySize } = runner.limits;
    const tokenId = fc.nat(vocabularySize - 1);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(tokenId, { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 5 }),
        tokenId,
        async (prompts, next) => {
          const rows = prompts.map(({ length }, slot) => ({ slot, position: length, tokenId: next }));
          for (const [slot, tokenIds] of prompts.entries()) {
            for (const each of [runner, same]) await each.prefill({ slot, position: 0, tokenIds, logitsFor: 'none' });
          }
          const together = Float32Array.from((await runner.decode(rows)).data);
          const others = Float32Array.from((await same.decode(rows)).data);
          for (const row of rows) {
            const part = [row.slot * vocabularySize, (row.slot + 1) * vocabularySize] as const;
            expect(Float32Array.from((await runner.decode([row])).data)).toEqual(together.slice(...part));
            for (const [id, logit] of together.slice(...part).entries()) {
              expect(Math.abs(logit - others[part[0] + id]!)).toBeLessThan(0.5);
            }
          }
        },
      ),
      { numRuns: 20 },
    );
    await Promise.all([runner.close(), same.close()]);
  });
});
