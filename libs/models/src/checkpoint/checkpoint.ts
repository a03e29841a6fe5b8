/** How a tensor's elements are stored. The Q forms are GGUF's blocks of 32 elements along the last axis. */
export type TensorDtype = 'F32' | 'F16' | 'BF16' | 'Q8_0' | 'Q4_0' | 'Q4_1';

export interface TensorInfo {
  readonly dtype: TensorDtype;
  /** Row-major, outermost axis first, as in the hub's checkpoints. */
  readonly shape: readonly number[];
  readonly byteLength: number;
}

/**
 * A model's tensors on disk, by the hub's names (`model.layers.0.self_attn.q_proj.weight`), whatever the file calls them.
 * Read in slices of rows, so that memory is bounded by what the caller asks for.
 */
export abstract class Checkpoint {
  abstract readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Tensors in a form that is not read, by the hub's names, with a sentence that says so. An error only for who wants one. */
  protected abstract readonly unreadable: ReadonlyMap<string, string>;

  /**
   * Rows as they are stored. A vector is one row.
   * @returns bytes of [rowCount, columns] in the tensor's dtype
   * @throws MissingTensorError, CheckpointError
   */
  abstract readRows(name: string, firstRow: number, rowCount: number): Promise<Uint8Array>;

  abstract close(): Promise<void>;

  /** @throws MissingTensorError, CheckpointError when it is of a type that is not read */
  info(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (info !== undefined) return info;
    const reason = this.unreadable.get(name);
    throw reason === undefined ? new MissingTensorError(name) : new CheckpointError(reason);
  }
}

/** The checkpoint lacks a tensor that the architecture needs. */
export class MissingTensorError extends Error {
  override readonly name = 'MissingTensorError';
  constructor(readonly tensor: string) {
    super(`The checkpoint has no tensor ${tensor}.`);
  }
}

/** A checkpoint file is damaged, or in a form that is not read. The message is a whole sentence. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}

/** Rows and columns of a tensor: all axes but the last are rows. */
export function rowsOf({ shape }: Pick<TensorInfo, 'shape'>): { rows: number; columns: number } {
  const columns = shape.at(-1) ?? 1;
  return { rows: shape.slice(0, -1).reduce((product, size) => product * size, 1), columns };
}
