import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { hasByteProducts } from '../byte-products.js';
import { OnnxModelRunner } from '../onnx-model-runner.js';
import { compileModel } from './compile-model.js';

const FOLDER = fileURLToPath(new URL('../../../../test/data/models/llama', import.meta.url));
const ENCODER = fileURLToPath(new URL('../../../../test/data/models/bert', import.meta.url));

function newStore(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-rotated-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const sourceOf = (folder: string) =>
  ({ kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: folder }) as const;

it.runIf(await hasByteProducts())(
  'given a model whose logits are known, when compiled to w8a8, then they are near, in one chunk and row by row',
  async () => {
    const { cases } = JSON.parse(readFileSync(join(FOLDER, 'golden.json'), 'utf8')) as {
      cases: { prompt: number[]; top: [number, number][] }[];
    };
    const compiled = await compileModel({ source: sourceOf(FOLDER), weights: 'w8a8', storeFolder: newStore() });
    const graph = { ...compiled.manifest, path: compiled.graphPath };
    const runner = await OnnxModelRunner.load(graph, { threads: 1, kvBytes: 8 << 20 });
    onTestFinished(() => runner.close());
    for (const { prompt, top } of cases) {
      const errors: number[] = [];
      const chunk = await runner.prefill({ slot: 0, position: 0, tokenIds: prompt, logitsFor: 'last' });
      for (const [id, logit] of top) errors.push(chunk!.data[id]! - logit);
      for (const [position, tokenId] of prompt.entries()) {
        const { data } = await runner.decode([{ slot: 1, position, tokenId }]);
        if (position === prompt.length - 1) for (const [id, logit] of top) errors.push(data[id]! - logit);
      }
      const spread = Math.abs(top[0]![1] - top.at(-1)![1]);
      expect(Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length)).toBeLessThan(
        spread / 10,
      );
    }
  },
);

it('given an encoder, when compiled to w8a8, then it is refused', async () => {
  const compiling = compileModel({ source: sourceOf(ENCODER), weights: 'w8a8', storeFolder: newStore() });
  await expect(compiling).rejects.toThrow('weights w8a8 are for models that generate');
});
