import { type FileHandle, open } from 'node:fs/promises';
import { GgufHeader } from '../gguf-header.js';
import { Checkpoint, CheckpointError, rowsOf, type TensorDtype } from './checkpoint.js';
import { rowBytes } from './element-codecs.js';
import { hubTensorName } from './gguf-names.js';
import { readExactly } from './read-exactly.js';
import { checkStoredTensors, type StoredTensor } from './stored-tensor.js';

/** Of ggml's types, which have the same names. @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
const READABLE = ['F32', 'F16', 'Q4_0', 'Q4_1', 'Q8_0', 'BF16'] as const satisfies readonly TensorDtype[];

/** Architectures whose query and key rows GGUF interleaves for its form of rotary embedding; others keep the hub's order. */
const INTERLEAVED = new Set(['llama']);

/** The tensors of a GGUF file. */
export class GgufCheckpoint extends Checkpoint {
  private constructor(
    override readonly tensors: ReadonlyMap<string, StoredTensor>,
    protected override readonly unreadable: ReadonlyMap<string, string>,
    /** Heads of the tensors whose rows are interleaved, by the hub's names. */
    private readonly interleavedHeads: ReadonlyMap<string, number>,
    private readonly file: FileHandle,
  ) {
    super();
  }

  /** @throws CheckpointError when the file is damaged; UnsupportedModelError when it is no GGUF file */
  static async open(path: string): Promise<GgufCheckpoint> {
    const { GGMLQuantizationType } = await import('@huggingface/gguf');
    const header = await GgufHeader.read(path);
    const stored = new Map<string, StoredTensor>();
    const unreadable = new Map<string, string>();
    for (const info of header.tensorInfos) {
      const type = GGMLQuantizationType[info.dtype] ?? `number ${info.dtype}`;
      if (!isReadable(type)) {
        const known = READABLE.join(', ');
        const sentence = `${path}: the tensor ${info.name} is of type ${type}, which is not read; ${known} are.`;
        unreadable.set(hubTensorName(info.name), sentence);
        continue;
      }
      // GGUF lists the fastest dimension first.
      const shape = info.shape.map(Number).reverse();
      const { rows, columns } = rowsOf({ shape });
      const byteLength = Math.ceil(rows * rowBytes(type, columns));
      stored.set(info.name, { dtype: type, shape, byteLength, offset: header.tensorDataOffset + Number(info.offset) });
    }
    const file = await open(path);
    try {
      checkStoredTensors(path, stored, (await file.stat()).size);
      const interleavedHeads = interleavedHeadsOf(header, stored);
      const tensors = new Map([...stored].map(([name, tensor]) => [hubTensorName(name), tensor]));
      return new GgufCheckpoint(tensors, unreadable, interleavedHeads, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  override async readRows(name: string, firstRow: number, rowCount: number): Promise<Uint8Array> {
    const tensor = this.info(name) as StoredTensor;
    const heads = this.interleavedHeads.get(name);
    const { rows, columns } = rowsOf(tensor);
    const stride = rowBytes(tensor.dtype, columns);
    if (heads === undefined) return readExactly(this.file, tensor.offset + firstRow * stride, rowCount * stride, name);
    if (tensor.shape.length === 1) {
      // A bias: its elements lie as the rows of its weight do.
      const bytes = await readExactly(this.file, tensor.offset, tensor.byteLength, name);
      return separateHalves(bytes, tensor.byteLength / columns, columns / heads, 0, columns);
    }
    // Rows move only within their head, so whole heads are read.
    const headRows = rows / heads;
    const firstHead = Math.floor(firstRow / headRows);
    const endHead = Math.ceil((firstRow + rowCount) / headRows);
    const offset = tensor.offset + firstHead * headRows * stride;
    const bytes = await readExactly(this.file, offset, (endHead - firstHead) * headRows * stride, name);
    return separateHalves(bytes, stride, headRows, firstRow - firstHead * headRows, rowCount);
  }

  override async close(): Promise<void> {
    await this.file.close();
  }
}

/**
 * Row j and row half + j of each head, which GGUF stores next to each other, in the hub's order: the two halves apart.
 * @param stride    bytes of a row
 * @param headRows  rows of a head
 */
function separateHalves(
  bytes: Uint8Array,
  stride: number,
  headRows: number,
  firstRow: number,
  rowCount: number,
): Uint8Array {
  const half = headRows / 2;
  const separated = new Uint8Array(rowCount * stride);
  for (let index = 0; index < rowCount; index++) {
    const row = firstRow + index;
    const inHead = row % headRows;
    const stored = row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
    separated.set(bytes.subarray(stored * stride, (stored + 1) * stride), index * stride);
  }
  return separated;
}

function isReadable(type: string): type is (typeof READABLE)[number] {
  return (READABLE as readonly string[]).includes(type);
}

/** @throws CheckpointError when the rows do not divide into the heads of the metadata */
function interleavedHeadsOf(header: GgufHeader, stored: ReadonlyMap<string, StoredTensor>): Map<string, number> {
  const interleaved = new Map<string, number>();
  const family = header.string('general.architecture') ?? '';
  if (!INTERLEAVED.has(family)) return interleaved;
  const heads = header.number(`${family}.attention.head_count`);
  const kvHeads = header.number(`${family}.attention.head_count_kv`) ?? heads;
  for (const [name, { shape }] of stored) {
    const part = /\.attn_([qk])\.(?:weight|bias)$/.exec(name)?.[1];
    if (part === undefined) continue;
    const count = part === 'q' ? heads : kvHeads;
    const rows = shape[0] ?? 0;
    if (count === undefined || count < 1 || rows % (2 * count) !== 0) {
      throw new CheckpointError(`${header.path}: the ${rows} rows of ${name} are not ${count} heads of even size.`);
    }
    interleaved.set(hubTensorName(name), count);
  }
  return interleaved;
}
