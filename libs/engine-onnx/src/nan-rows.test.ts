import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileModel } from './compile/compile-model.js';
import { OnnxModelRunner } from './onnx-model-runner.js';
import { poisonToken } from './testing/poison-token.js';

const MODEL = fileURLToPath(new URL('../../../test/data/models/llama', import.meta.url));
/** What attends to it has no logits. */
const POISON = 400;
const KV_BYTES = 16 * 1024 * 1024;
const SLOTS = 5;

/** Numbers that a model gives for a broken row must stay in it: attention adds 0 × NaN where it reads what it must not. */
describe('the model runner, with a token whose numbers are NaN', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nan-rows-'));
  let runner: OnnxModelRunner;
  beforeAll(async () => {
    const source = {
      kind: 'hf-folder',
      folder: MODEL,
      id: MODEL,
      origin: 'folder',
      bytes: 0,
      contentKey: 'p',
    } as const;
    const compiled = await compileModel({ source, weights: 'fp32', storeFolder: folder });
    poisonToken(MODEL, compiled.folder, POISON);
    const graph = { ...compiled.manifest, path: compiled.graphPath };
    runner = await OnnxModelRunner.load(graph, { threads: 1, kvBytes: KV_BYTES });
    expect(runner.limits.slots).toBeGreaterThanOrEqual(SLOTS);
  });
  afterAll(async () => {
    await runner.close();
    rmSync(folder, { recursive: true });
  });

  async function prefill(slot: number, tokenIds: readonly number[], position = 0): Promise<Float32Array> {
    return (await runner.prefill({ slot, position, tokenIds, logitsFor: 'last' }))!.data.slice();
  }

  async function decode(rows: readonly { slot: number; position: number; tokenId: number }[]): Promise<Float32Array[]> {
    const { data } = await runner.decode(rows);
    const { vocabularySize } = runner.limits;
    return rows.map((_, row) => data.slice(row * vocabularySize, (row + 1) * vocabularySize));
  }

  const tokens = (maxLength: number) => fc.array(fc.integer({ min: 3, max: 399 }), { minLength: 1, maxLength });

  it('given a batch in which one row is NaN, when decoded, then the other rows are what they are without it, bit for bit', () =>
    fc.assert(
      fc.asyncProperty(fc.array(tokens(40), { minLength: 2, maxLength: SLOTS }), fc.nat(), async (prompts, pick) => {
        const victim = pick % prompts.length;
        const step = async (victimToken: number) => {
          for (const [slot, prompt] of prompts.entries()) await prefill(slot, prompt);
          return decode(
            prompts.map((prompt, slot) => ({
              slot,
              position: prompt.length,
              tokenId: slot === victim ? victimToken : 7,
            })),
          );
        };
        const clean = await step(7);
        const poisoned = await step(POISON);
        expect(poisoned[victim]!.every(Number.isNaN)).toBe(true);
        prompts.forEach((_, slot) => {
          if (slot !== victim) expect(poisoned[slot]).toEqual(clean[slot]);
        });
      }),
      { numRuns: 30 },
    ));

  it.each([
    ['closed meanwhile', true],
    ['taken over at once', false],
  ])(
    'given a slot full of NaN, %s, when another sequence has it, then it is what it is in a fresh slot',
    (_how, isClosed) =>
      fc.assert(
        fc.asyncProperty(tokens(60), fc.integer({ min: 1, max: 20 }), async (prompt, chunk) => {
          const run = async (slot: number) => {
            let logits = await prefill(slot, prompt.slice(0, chunk));
            for (let at = chunk; at < prompt.length; at += chunk)
              logits = await prefill(slot, prompt.slice(at, at + chunk), at);
            const rows: Float32Array[] = [logits];
            for (let at = prompt.length; at < prompt.length + 4; at++) {
              rows.push(...(await decode([{ slot, position: at, tokenId: 11 }])));
            }
            return rows;
          };
          const fresh = await run(0);
          const spoilt = await prefill(
            1,
            Array.from({ length: 120 }, () => POISON),
          );
          expect(spoilt.every(Number.isNaN)).toBe(true);
          if (isClosed) runner.closeSlot?.(1);
          expect(await run(1)).toEqual(fresh);
        }),
        { numRuns: 30 },
      ),
  );

  it('given a slot full of NaN, when another is copied to it, then it goes on as the other', async () => {
    const prompt = [5, 6, 7, 8, 9];
    await prefill(0, prompt);
    await prefill(
      1,
      Array.from({ length: 120 }, () => POISON),
    );
    runner.copySlot!({ from: 0, to: 1, tokens: prompt.length });
    const [own, copied] = await decode([0, 1].map((slot) => ({ slot, position: prompt.length, tokenId: 11 })));
    expect(copied).toEqual(own);
    expect(own!.every(Number.isFinite)).toBe(true);
  });
});
