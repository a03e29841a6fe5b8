import { describe, expect, it } from 'vitest';
import { type HydraConfig, loadConfig } from '#lib/config';
import { samplingDefaultsOf } from './sampling-defaults.js';

const configured = (model: object): HydraConfig['models'][number] => ({
  ...loadConfig({ env: {}, folder: '/nowhere' }).models[0]!,
  ...model,
});
const files = (generationConfig?: object) =>
  new Map(
    generationConfig === undefined
      ? []
      : [['generation_config.json', new TextEncoder().encode(JSON.stringify(generationConfig))]],
  );

describe('samplingDefaultsOf', () => {
  it('given a model of the catalogue, then its recommendation is taken, also under another name', () => {
    expect(samplingDefaultsOf(configured({}), files())).toMatchObject({ temperature: 0.2, topP: 0.9 });
    const renamed = configured({ id: 'mine', source: 'smollm2' });
    expect(samplingDefaultsOf(renamed, files())).toMatchObject({ temperature: 0.2, topP: 0.9 });
  });

  it('given all three, then the configuration goes first, then the model, then the catalogue', () => {
    const model = configured({ sampling: { top_k: 5 } });
    expect(samplingDefaultsOf(model, files({ temperature: 0.6, top_k: 20, min_p: 0.1 }))).toEqual({
      temperature: 0.6,
      topP: 0.9,
      topK: 5,
      minP: 0.1,
      repetitionPenalty: undefined,
    });
  });

  it('given a model that nobody says anything of, then nothing is set', () => {
    const unset = { temperature: undefined, topP: undefined, topK: undefined, minP: undefined };
    expect(samplingDefaultsOf(configured({ id: 'x', source: './x' }), files())).toMatchObject(unset);
  });

  it('given values that the public API would refuse, then they are left out', () => {
    const model = configured({ id: 'x', source: './x' });
    const broken = { temperature: -1, top_p: 0, top_k: -1, min_p: 2, repetition_penalty: 0 };
    expect(Object.values(samplingDefaultsOf(model, files(broken))).filter((value) => value !== undefined)).toEqual([]);
  });
});
