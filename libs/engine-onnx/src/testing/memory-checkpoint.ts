import { Checkpoint, rowBytes, rowsOf, type TensorDtype, type TensorInfo } from '#lib/models';

export interface MemoryTensor {
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A checkpoint whose tensors are given. */
export class MemoryCheckpoint extends Checkpoint {
  override readonly tensors: ReadonlyMap<string, TensorInfo>;
  protected override readonly unreadable = new Map<string, string>();

  constructor(private readonly given: Readonly<Record<string, MemoryTensor>>) {
    super();
    this.tensors = new Map(
      Object.entries(given).map(([name, { dtype, shape, bytes }]) => [
        name,
        { dtype, shape, byteLength: bytes.length },
      ]),
    );
  }

  override async readRows(name: string, firstRow: number, rowCount: number): Promise<Uint8Array> {
    const info = this.info(name);
    const stride = rowBytes(info.dtype, rowsOf(info).columns);
    return this.given[name]!.bytes.slice(firstRow * stride, (firstRow + rowCount) * stride);
  }

  override async close(): Promise<void> {}
}

export function floatTensor(shape: readonly number[], values: ArrayLike<number>): MemoryTensor {
  return { dtype: 'F32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}
