import { describe, expect, it } from 'vitest';
import { floatTensor, MemoryCheckpoint } from '../testing/memory-checkpoint.js';
import { CheckpointTensors } from './checkpoint-tensors.js';

const ROWS = 3000;
const COLUMNS = 512;
const values = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => i);

/** @param change  an element of the other tensor that is another one */
function tensors(change?: number): CheckpointTensors {
  const other = values.slice();
  if (change !== undefined) other[change]!++;
  const checkpoint = new MemoryCheckpoint({
    one: floatTensor([ROWS, COLUMNS], values),
    other: floatTensor([ROWS, COLUMNS], other),
    flat: floatTensor([ROWS * COLUMNS], values),
  });
  return new CheckpointTensors(checkpoint, () => undefined, undefined);
}

describe('CheckpointTensors', () => {
  it('given two tensors, when compared, then they differ in an element of any slab, or in their shape', async () => {
    expect(await tensors().differ('one', 'other')).toBe(false);
    expect(await tensors(0).differ('one', 'other')).toBe(true);
    expect(await tensors(values.length - 1).differ('one', 'other')).toBe(true);
    expect(await tensors().differ('one', 'flat')).toBe(true);
  });

  it('given a tensor that is not there, when compared, then nothing differs', async () => {
    expect(await tensors().differ('one', 'none')).toBe(false);
  });
});
