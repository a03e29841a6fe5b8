import { ConfigValues } from './config-values.js';
import { UnsupportedModelError } from './errors.js';
import type { ModelConfig, RopeScaling } from './model-config.js';

/** Of multipliers that are 1 or so: far over any. */
const LARGEST = 1e6;

/**
 * transformers 5 writes `rope_parameters`, older ones `rope_theta` and `rope_scaling`. As it reads them: a `rope_scaling` that says something takes the place of
 * `rope_parameters`, and what stands in either goes before what stands beside it.
 */
export function ropeOfFolder(values: ConfigValues, name: string): ModelConfig['rope'] {
  const parameters = values.object('rope_parameters');
  const older = values.object('rope_scaling');
  const isOlder = parameters === undefined || (older !== undefined && Object.keys(older).length > 0);
  const place = isOlder ? 'rope_scaling' : 'rope_parameters';
  const rope = new ConfigValues((isOlder ? older : parameters) ?? {}, name, `${place} of its config.json`);
  const theta = rope.factor('rope_theta') ?? values.factor('rope_theta') ?? 10_000;
  const scaling = ropeScaling(rope, values, theta, name);
  if (scaling !== undefined) checkTurnsWholeHeads(rope, values, scaling, name);
  return { theta, scaling };
}

/** Of heads that turn in part transformers makes an error where they are stretched, and turns them whole where they are not. */
function checkTurnsWholeHeads(rope: ConfigValues, config: ConfigValues, { type }: RopeScaling, name: string): void {
  const key = 'partial_rotary_factor';
  const factor = rope.number(key, 0, 1) ?? config.number(key, 0, 1) ?? 1;
  if (factor === 1) return;
  throw new UnsupportedModelError(name, `its ${key} is ${factor}, and only whole heads are turned by "${type}"`);
}

/** The model's context before it was stretched. */
function originalContext(rope: ConfigValues, config: ConfigValues): number {
  const [key, whole] = ['original_max_position_embeddings', 'max_position_embeddings'];
  return config.size(key) ?? rope.size(key) ?? config.required(whole, config.size(whole));
}

function ropeScaling(values: ConfigValues, config: ConfigValues, theta: number, name: string): RopeScaling | undefined {
  const factor = (key: string) => values.required(key, values.factor(key));
  const type = values.string('rope_type') ?? values.string('type');
  switch (type) {
    case undefined:
    case 'default':
      return undefined;
    case 'linear':
      return { type, factor: factor('factor') };
    case 'llama3': {
      const lowFreqFactor = factor('low_freq_factor');
      const highFreqFactor = factor('high_freq_factor');
      if (highFreqFactor <= lowFreqFactor) {
        const reason = `high_freq_factor of its rope scaling is ${highFreqFactor}, where more than low_freq_factor, ${lowFreqFactor}, is expected`;
        throw new UnsupportedModelError(name, reason);
      }
      const originalContextTokens = originalContext(values, config);
      return { type, factor: factor('factor'), lowFreqFactor, highFreqFactor, originalContextTokens };
    }
    case 'yarn':
      if (theta <= 1) throw new UnsupportedModelError(name, `its rope_theta is ${theta}, where yarn needs more than 1`);
      return yarn(values, config);
    case 'dynamic':
      throw new UnsupportedModelError(
        name,
        'its rope scaling "dynamic" turns keys otherwise the longer a text becomes, so that none can be kept; "linear", "llama3" and "yarn" are known',
      );
    default:
      throw new UnsupportedModelError(
        name,
        `its rope scaling ${JSON.stringify(type)} is not known; known are linear, llama3 and yarn`,
      );
  }
}

/** Defaults and precedence as in transformers; where it asks whether a number is true, 0 is none. */
function yarn(values: ConfigValues, config: ConfigValues): RopeScaling {
  const contextTokens = config.required('max_position_embeddings', config.size('max_position_embeddings'));
  const originalContextTokens = originalContext(values, config);
  const factor = values.factor('factor') ?? contextTokens / originalContextTokens;
  const orNone = (name: string) => values.number(name, 0, LARGEST) || undefined;
  const [mscale, mscaleAllDim] = [orNone('mscale'), orNone('mscale_all_dim')];
  const inferred =
    mscale === undefined || mscaleAllDim === undefined
      ? entropy(factor, 1)
      : entropy(factor, mscale) / entropy(factor, mscaleAllDim);
  return {
    ...{ type: 'yarn', factor, originalContextTokens },
    betaFast: orNone('beta_fast') ?? 32,
    betaSlow: orNone('beta_slow') ?? 1,
    truncate: values.boolean('truncate') ?? true,
    attentionFactor: values.number('attention_factor', 0, LARGEST) ?? inferred,
  };
}

/** What keeps attention as sharp as before over a context that is `factor` times as long. */
function entropy(factor: number, mscale: number): number {
  return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
}
