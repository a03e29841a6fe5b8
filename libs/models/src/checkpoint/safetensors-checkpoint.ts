import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Checkpoint, CheckpointError, rowsOf, type TensorDtype, type TensorInfo } from './checkpoint.js';
import { rowBytes } from './element-codecs.js';

/** Largest header the format allows. @see https://github.com/huggingface/safetensors#format */
const LARGEST_HEADER = 100_000_000;
const DTYPES: readonly string[] = ['F32', 'F16', 'BF16'] satisfies TensorDtype[];

interface StoredTensor extends TensorInfo {
  readonly file: FileHandle;
  readonly offset: number;
}

/** A folder with `model.safetensors`, or with shards and `model.safetensors.index.json`. */
export class SafetensorsCheckpoint extends Checkpoint {
  private constructor(
    override readonly tensors: ReadonlyMap<string, StoredTensor>,
    private readonly files: readonly FileHandle[],
  ) {
    super();
  }

  /** @throws CheckpointError when a file is damaged or a shard is missing */
  static async open(folder: string): Promise<SafetensorsCheckpoint> {
    const tensors = new Map<string, StoredTensor>();
    const files: FileHandle[] = [];
    try {
      for (const path of await shardsOf(folder)) {
        const file = await open(path).catch((cause: unknown) => {
          throw new CheckpointError(`${path} cannot be opened`, { cause });
        });
        files.push(file);
        for (const [name, tensor] of await readHeader(path, file)) tensors.set(name, tensor);
      }
    } catch (error) {
      await Promise.all(files.map((file) => file.close()));
      throw error;
    }
    return new SafetensorsCheckpoint(tensors, files);
  }

  override async readRows(name: string, firstRow: number, rowCount: number): Promise<Uint8Array> {
    const tensor = this.info(name) as StoredTensor;
    const stride = rowBytes(tensor.dtype, rowsOf(tensor).columns);
    return readExactly(tensor.file, tensor.offset + firstRow * stride, rowCount * stride, name);
  }

  override async close(): Promise<void> {
    await Promise.all(this.files.map((file) => file.close()));
  }
}

/** Bytes of a file, all of them. @throws CheckpointError at the end of the file */
export async function readExactly(file: FileHandle, offset: number, length: number, what: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw new CheckpointError(`the file ends inside ${what}`);
    done += bytesRead;
  }
  return bytes;
}

async function shardsOf(folder: string): Promise<string[]> {
  const index = await readFile(join(folder, 'model.safetensors.index.json'), 'utf8').catch(() => undefined);
  if (index === undefined) return [join(folder, 'model.safetensors')];
  const { weight_map: weightMap } = JSON.parse(index) as { weight_map?: Record<string, string> };
  if (weightMap === undefined) throw new CheckpointError(`model.safetensors.index.json in ${folder} has no weight_map`);
  const names = [...new Set(Object.values(weightMap))];
  const strange = names.find((name) => name.includes('/') || name.includes('\\'));
  if (strange !== undefined) throw new CheckpointError(`the index names a file outside the folder: ${strange}`);
  return names.map((name) => join(folder, name));
}

async function readHeader(path: string, file: FileHandle): Promise<[string, StoredTensor][]> {
  const { size } = await file.stat();
  if (size < 8) throw new CheckpointError(`${path} is too short to be a safetensors file`);
  const length = Number(new DataView((await readExactly(file, 0, 8, path)).buffer).getBigUint64(0, true));
  if (length > LARGEST_HEADER || 8 + length > size)
    throw new CheckpointError(`${path} is no safetensors file, or is cut off in its header`);
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(new TextDecoder().decode(await readExactly(file, 8, length, path)));
  } catch (cause) {
    throw new CheckpointError(`${path}: its header is not JSON`, { cause });
  }
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
  const ordered = entries.map(([, entry]) => entry.data_offsets).sort((a, b) => a[0] - b[0]);
  ordered.forEach(([begin, end], i) => {
    if (begin < (ordered[i - 1]?.[1] ?? 0) || end < begin) throw new CheckpointError(`${path}: its tensors overlap`);
    if (8 + length + end > size)
      throw new CheckpointError(`${path} is cut off: ${size} of ${8 + length + end} bytes are there`);
  });
  return entries.map(([name, entry]) => [name, toTensor(name, entry, file, 8 + length)]);
}

function toTensor(
  name: string,
  entry: { dtype: string; shape: number[]; data_offsets: [number, number] },
  file: FileHandle,
  data: number,
): StoredTensor {
  const [begin, end] = entry.data_offsets;
  if (!DTYPES.includes(entry.dtype))
    throw new CheckpointError(`the tensor ${name} has the type ${entry.dtype}; ${DTYPES.join(', ')} are read`);
  const dtype = entry.dtype as TensorDtype;
  const tensor = { dtype, shape: entry.shape, byteLength: end - begin, file, offset: data + begin };
  const { rows, columns } = rowsOf(tensor);
  if (rows * rowBytes(dtype, columns) !== tensor.byteLength)
    throw new CheckpointError(`the tensor ${name} has ${tensor.byteLength} bytes, which its shape and type contradict`);
  return tensor;
}
