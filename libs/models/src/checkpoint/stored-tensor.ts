import { CheckpointError, rowsOf, type TensorInfo } from './checkpoint.js';
import { rowBytes } from './element-codecs.js';

/** A tensor and where its bytes begin in its file. */
export interface StoredTensor extends TensorInfo {
  readonly offset: number;
}

/**
 * Checks what a file's header says of its tensors, before a byte of them is believed.
 * @param path     how errors call the file
 * @param tensors  those of the file, by the names it gives them
 * @throws CheckpointError when sizes contradict shapes, tensors overlap, or the file is shorter than they are
 */
export function checkStoredTensors(path: string, tensors: ReadonlyMap<string, StoredTensor>, fileBytes: number): void {
  for (const [name, tensor] of tensors) {
    const { rows, columns } = rowsOf(tensor);
    const stride = rowBytes(tensor.dtype, columns);
    if (!Number.isInteger(stride)) {
      throw new CheckpointError(
        `${path}: the rows of ${name}, ${columns} elements, are no whole ${tensor.dtype} blocks.`,
      );
    }
    if (rows * stride !== tensor.byteLength) {
      throw new CheckpointError(
        `${path}: the tensor ${name} has ${tensor.byteLength} bytes, which is not what ${tensor.dtype} [${tensor.shape.join(', ')}] takes.`,
      );
    }
  }
  const inOrder = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = 0;
  let before = 'the header';
  for (const [name, { offset, byteLength }] of inOrder) {
    if (offset < end) throw new CheckpointError(`${path}: the tensor ${name} overlaps ${before}.`);
    end = offset + byteLength;
    before = name;
    if (end > fileBytes) {
      throw new CheckpointError(`${path} is cut off: it ends at byte ${fileBytes}, the tensor ${name} at ${end}.`);
    }
  }
}
