import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { modelConfig } from '#lib/models';
import { inverseFrequencies, ropeTables } from './rope-tables.js';

interface Golden {
  readonly rope_parameters: { readonly rope_theta: number };
  readonly head_dim: number;
  readonly max_position_embeddings: number;
  readonly attention_factor: number;
  readonly frequencies: readonly number[];
}

const { cases } = JSON.parse(readFileSync(new URL('../../test-data/yarn-golden.json', import.meta.url), 'utf8')) as {
  cases: Golden[];
};

/** As it is read from a folder. */
function configOf(golden: Golden, place: object) {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-yarn-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { head_dim, max_position_embeddings } = golden;
  const sizes = {
    hidden_size: 4 * head_dim,
    intermediate_size: 8,
    num_attention_heads: 4,
    num_hidden_layers: 1,
    vocab_size: 8,
  };
  const config = { model_type: 'llama', ...sizes, head_dim, max_position_embeddings, ...place };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  return modelConfig({ kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: '' });
}

it.each(cases)(
  'given yarn as $rope_parameters, when computed, then frequencies and factor are those of transformers',
  async (golden) => {
    const { rope_theta, ...older } = golden.rope_parameters;
    for (const place of [{ rope_parameters: golden.rope_parameters }, { rope_theta, rope_scaling: older }]) {
      const { rope, headDim } = await configOf(golden, place);
      const found = inverseFrequencies(rope, headDim);
      expect(found).toHaveLength(golden.frequencies.length);
      found.forEach((value, pair) => {
        expect(Math.abs(value / golden.frequencies[pair]! - 1), `pair ${pair}`).toBeLessThan(2 ** -21);
      });
      const { cos } = ropeTables({ rope, headDim }, 1, 0.5);
      for (const value of cos) expect(value).toBeCloseTo(golden.attention_factor / 2, 6);
    }
  },
);
