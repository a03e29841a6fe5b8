import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileModel } from './compile/compile-model.js';
import { OnnxModelRunner } from './onnx-model-runner.js';

interface GoldenCase {
  readonly prompt: number[];
  /** Ids and logits after the prompt, largest first. */
  readonly top: [number, number][];
  readonly greedy: number[];
}

const KV_BYTES = 8 * 1024 * 1024;

/** One golden case on its way: what of the prompt is computed, and what came after it. */
interface Progress {
  readonly golden: GoldenCase;
  readonly slot: number;
  computed: number;
  readonly tokens: number[];
}

describe.each(['llama', 'llama-rope3', 'llama-yarn'])('the model runner on the tiny model %s', (name) => {
  const folder = fileURLToPath(new URL(`../../../test/data/models/${name}`, import.meta.url));
  const { cases } = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as { cases: GoldenCase[] };
  const storeFolder = mkdtempSync(join(tmpdir(), 'golden-models-'));
  let runner: OnnxModelRunner;

  beforeAll(async () => {
    const source = { kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: name } as const;
    const compiled = await compileModel({ source, weights: 'fp32', storeFolder });
    const graph = { ...compiled.manifest, path: compiled.graphPath };
    runner = await OnnxModelRunner.load(graph, { threads: 1, kvBytes: KV_BYTES });
  });
  afterAll(async () => {
    await runner.close();
    rmSync(storeFolder, { recursive: true });
  });

  async function prefill(progress: Progress, length: number): Promise<void> {
    const { golden, slot, computed } = progress;
    const tokenIds = golden.prompt.slice(computed, computed + length);
    const logitsFor = computed + length >= golden.prompt.length ? 'last' : 'none';
    const logits = await runner.prefill({ slot, position: computed, tokenIds, logitsFor });
    progress.computed += tokenIds.length;
    if (logits !== undefined) progress.tokens.push(likeliest(logits.data));
  }

  async function decode(batch: readonly Progress[]): Promise<void> {
    const rows = batch.map(({ golden, slot, tokens }) => {
      return { slot, position: golden.prompt.length + tokens.length - 1, tokenId: tokens.at(-1)! };
    });
    const { data } = await runner.decode(rows);
    const { vocabularySize } = runner.limits;
    batch.forEach(({ tokens }, row) => {
      tokens.push(likeliest(data.subarray(row * vocabularySize, (row + 1) * vocabularySize)));
    });
  }

  it.each([1, 2, 3, 7, 16, Number.POSITIVE_INFINITY])(
    'given chunks of %s, when a prompt is prefilled, then logits are within 1e-3 and 24 greedy tokens equal',
    async (chunkTokens) => {
      for (const golden of cases) {
        const { prompt, top, greedy } = golden;
        let data: Float32Array | undefined;
        for (let position = 0; position < prompt.length; ) {
          const tokenIds = prompt.slice(position, position + chunkTokens);
          data = (await runner.prefill({ slot: 1, position, tokenIds, logitsFor: 'last' }))!.data;
          position += tokenIds.length;
        }
        for (const [id, logit] of top) expect(Math.abs(data![id]! - logit)).toBeLessThan(1e-3);
        const progress = { golden, slot: 1, computed: prompt.length, tokens: [likeliest(data!)] };
        while (progress.tokens.length < greedy.length) await decode([progress]);
        expect(progress.tokens).toEqual(greedy);
      }
    },
  );

  it('given any schedule of chunks and batches over any slots, when run, then every sequence has its tokens', async () => {
    const slots = Array.from({ length: runner.limits.slots }, (_, slot) => slot);
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(slots, { minLength: cases.length, maxLength: cases.length }),
        fc.infiniteStream(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 24 }))),
        async (assigned, choices) => {
          const all: Progress[] = cases.map((golden, index) => {
            return { golden, slot: assigned[index]!, computed: 0, tokens: [] };
          });
          const isWaiting = ({ golden, computed }: Progress) => computed < golden.prompt.length;
          const isDone = ({ golden, tokens }: Progress) => tokens.length === golden.greedy.length;
          while (!all.every(isDone)) {
            const [choice, length] = choices.next().value!;
            const waiting = all.filter(isWaiting);
            const running = all.filter((progress) => !isWaiting(progress) && !isDone(progress));
            if (running.length === 0 || (waiting.length > 0 && choice % 2 === 0)) {
              await prefill(waiting[choice % waiting.length]!, length);
            } else {
              const batch = running.filter((_, index) => (choice >> (index + 1)) % 2 === 0);
              await decode(batch.length > 0 ? batch : running);
            }
          }
          expect(all.map(({ tokens }) => tokens)).toEqual(cases.map(({ greedy }) => greedy));
        },
      ),
      { numRuns: 25 },
    );
  });
});

function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  return best;
}
