import { BLOCK_ELEMENTS, type Checkpoint, type ModelConfig } from '#lib/models';
import type { WeightsForm } from '../compiled-model.js';

/** Float models below this size stay as they are, in bytes: nothing is gained by smaller weights. */
const SMALL_MODEL_BYTES = 64_000_000;

/**
 * The form for `auto`: sources of 4 bit stay 4 bit and of 8 bit 8 bit, both exactly; floats become 8 bit, unless the model is
 * small or its rows do not divide into blocks. Encoders stay floats: a vector is compared, and rounding moves all of them.
 */
export function chooseForm(checkpoint: Checkpoint, config: ModelConfig): WeightsForm {
  if (config.encoder !== undefined) return 'fp32';
  const infos = [...checkpoint.tensors];
  const isStoredAs = (...dtypes: string[]) =>
    infos.some(([name, { dtype }]) => name.includes('_proj.weight') && dtypes.includes(dtype));
  if (isStoredAs('Q4_0', 'Q4_1')) return 'int4';
  if (isStoredAs('Q8_0')) return 'int8';
  const { hiddenSize, intermediateSize, attentionHeads, headDim } = config;
  const widths = [hiddenSize, intermediateSize, attentionHeads * headDim];
  if (widths.some((width) => width % BLOCK_ELEMENTS !== 0)) return 'fp32';
  const totalBytes = infos.reduce((sum, [, { byteLength }]) => sum + byteLength, 0);
  return totalBytes < SMALL_MODEL_BYTES ? 'fp32' : 'int8';
}
