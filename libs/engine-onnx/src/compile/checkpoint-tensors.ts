import { BLOCK_ELEMENTS, type Checkpoint, CheckpointError, rowsOf, type TensorDtype, toFloats } from '#lib/models';

/** Elements read at once: 4 MiB of float32, so that memory does not grow with the tensor. */
const SLAB_ELEMENTS = 1 << 20;

/** A dimension does not divide into blocks of 32. */
export class BlockSizeError extends Error {
  override readonly name = 'BlockSizeError';
  constructor(tensor: string, columns: number) {
    super(
      `The tensor ${tensor} has rows of ${columns} elements; int8, int4 and w8a8 weights need a multiple of ${BLOCK_ELEMENTS}: use fp32.`,
    );
  }
}

/** Some rows of a tensor, as the checkpoint stores them. */
export interface Slab {
  readonly tensor: string;
  readonly bytes: Uint8Array;
  readonly dtype: TensorDtype;
  readonly rows: number;
  readonly elements: number;
  /** First row, counted over all the tensors that are packed together. */
  readonly firstRow: number;
}

/** Called after each tensor. @param byteLength  its size in the checkpoint */
export type TensorDone = (byteLength: number) => void;

/** A checkpoint's tensors as a graph needs them: several packed together, slab by slab. */
export class CheckpointTensors {
  constructor(
    private readonly checkpoint: Checkpoint,
    private readonly onTensor: TensorDone,
    private readonly signal: AbortSignal | undefined,
  ) {}

  has(tensor: string): boolean {
    return this.checkpoint.tensors.has(tensor);
  }

  /**
   * @param shape  what the model's configuration says
   * @throws MissingTensorError, CheckpointError when the tensor is not there or has another shape
   */
  expect(tensor: string, shape: readonly number[]): void {
    const { shape: found } = this.checkpoint.info(tensor);
    if (found.length === shape.length && found.every((size, axis) => size === shape[axis])) return;
    throw new CheckpointError(
      `The tensor ${tensor} is [${found.join(', ')}], where the model's configuration asks for [${shape.join(', ')}].`,
    );
  }

  /** Whether both are there and have other shapes, types or elements. Read side by side, until a slab differs. */
  async differ(first: string, second: string): Promise<boolean> {
    if (!this.has(first) || !this.has(second)) return false;
    const [one, other] = [this.checkpoint.info(first), this.checkpoint.info(second)];
    if (one.dtype !== other.dtype || one.shape.join() !== other.shape.join()) return true;
    const { rows, columns } = rowsOf(one);
    const step = Math.max(1, Math.floor(SLAB_ELEMENTS / columns));
    for (let row = 0; row < rows; row += step) {
      this.signal?.throwIfAborted();
      const count = Math.min(step, rows - row);
      const slabs = [first, second].map((tensor) => this.checkpoint.readRows(tensor, row, count));
      const [a, b] = await Promise.all(slabs);
      if (Buffer.compare(a!, b!) !== 0) return true;
    }
    return false;
  }

  /** Rows over all tensors, and columns, in which they agree. */
  shape(tensors: readonly string[]): { rows: number; columns: number } {
    const shapes = tensors.map((name) => rowsOf(this.checkpoint.info(name)));
    return { rows: shapes.reduce((sum, { rows }) => sum + rows, 0), columns: shapes[0]?.columns ?? 0 };
  }

  /** @throws BlockSizeError */
  blockShape(tensors: readonly string[]): { rows: number; columns: number; blocks: number } {
    const { rows, columns } = this.shape(tensors);
    if (columns % BLOCK_ELEMENTS !== 0) throw new BlockSizeError(tensors[0] ?? '', columns);
    return { rows, columns, blocks: columns / BLOCK_ELEMENTS };
  }

  /** Vectors, one after another. */
  async vector(tensors: readonly string[]): Promise<Float32Array> {
    const parts: Float32Array[] = [];
    for (const tensor of tensors) for await (const slab of this.slabs([tensor])) parts.push(slabFloats(slab));
    const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  /** Tensors that need not be read: what was made of them is there. @throws the signal's reason when aborted */
  pass(tensors: readonly string[]): void {
    this.signal?.throwIfAborted();
    for (const tensor of tensors) this.onTensor(this.checkpoint.info(tensor).byteLength);
  }

  /** @throws the signal's reason when aborted, between two slabs */
  async *slabs(tensors: readonly string[]): AsyncGenerator<Slab> {
    let before = 0;
    for (const tensor of tensors) {
      const info = this.checkpoint.info(tensor);
      const { rows, columns } = rowsOf(info);
      const step = Math.max(1, Math.floor(SLAB_ELEMENTS / columns));
      for (let row = 0; row < rows; row += step) {
        this.signal?.throwIfAborted();
        const count = Math.min(step, rows - row);
        const bytes = await this.checkpoint.readRows(tensor, row, count);
        yield { tensor, bytes, dtype: info.dtype, rows: count, elements: count * columns, firstRow: before + row };
      }
      before += rows;
      this.onTensor(info.byteLength);
    }
  }
}

/** @throws CheckpointError when one is not finite */
export function slabFloats({ tensor, dtype, bytes, elements }: Slab): Float32Array {
  const values = toFloats(dtype, bytes, elements);
  checkFinite(tensor, values);
  return values;
}

/** A model with such weights would answer nothing but NaN. @throws CheckpointError */
export function checkFinite(tensor: string, values: Float32Array): void {
  for (const value of values) {
    if (!Number.isFinite(value)) throw new CheckpointError(`The tensor ${tensor} has elements that are not finite.`);
  }
}
