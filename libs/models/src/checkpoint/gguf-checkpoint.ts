import { type FileHandle, open } from 'node:fs/promises';
import { GgufHeader } from '../gguf-header.js';
import { Checkpoint, CheckpointError, rowsOf, type TensorDtype, type TensorInfo } from './checkpoint.js';
import { rowBytes } from './element-codecs.js';
import { readExactly } from './safetensors-checkpoint.js';

/** ggml's numbers of the types that are read. @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
const DTYPES = new Map<number, TensorDtype>([
  [0, 'F32'],
  [1, 'F16'],
  [2, 'Q4_0'],
  [3, 'Q4_1'],
  [8, 'Q8_0'],
  [30, 'BF16'],
]);

const TOP_NAMES: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};
const LAYER_NAMES: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  ffn_norm: 'post_attention_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

interface StoredTensor extends TensorInfo {
  readonly offset: number;
  /** Heads whose rows GGUF interleaves for its form of rotary embedding; undefined for tensors kept as they are. */
  readonly interleavedHeads?: number;
}

/** The tensors of a GGUF file of the llama family. */
export class GgufCheckpoint extends Checkpoint {
  private constructor(
    override readonly tensors: ReadonlyMap<string, StoredTensor>,
    private readonly file: FileHandle,
  ) {
    super();
  }

  static async open(path: string): Promise<GgufCheckpoint> {
    const header = await GgufHeader.read(path);
    const heads = header.number('llama.attention.head_count');
    const kvHeads = header.number('llama.attention.head_count_kv') ?? heads;
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const tensors = new Map<string, StoredTensor>();
      for (const info of header.tensorInfos) {
        const name = hubName(info.name);
        if (name === undefined) continue; // rope factors; they are in the model's configuration
        const dtype = DTYPES.get(info.dtype);
        if (dtype === undefined)
          throw new CheckpointError(
            `the tensor ${info.name} has ggml type ${info.dtype}; ${[...DTYPES.values()].join(', ')} are read`,
          );
        const shape = info.shape.map(Number).reverse();
        const { rows, columns } = rowsOf({ dtype, shape, byteLength: 0 });
        const byteLength = rows * rowBytes(dtype, columns);
        const offset = header.tensorDataOffset + Number(info.offset);
        if (offset + byteLength > size) throw new CheckpointError(`${path} is cut off inside the tensor ${info.name}`);
        const interleavedHeads = info.name.includes('attn_q.')
          ? heads
          : info.name.includes('attn_k.')
            ? kvHeads
            : undefined;
        tensors.set(name, { dtype, shape, byteLength, offset, interleavedHeads });
      }
      return new GgufCheckpoint(tensors, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  override async readRows(name: string, firstRow: number, rowCount: number): Promise<Uint8Array> {
    const tensor = this.info(name) as StoredTensor;
    const { rows, columns } = rowsOf(tensor);
    const stride = rowBytes(tensor.dtype, columns);
    if (tensor.interleavedHeads === undefined)
      return readExactly(this.file, tensor.offset + firstRow * stride, rowCount * stride, name);
    const isVector = tensor.shape.length === 1; // a bias: its elements are permuted like the rows of its weight
    if (isVector)
      return permuteElements(
        await readExactly(this.file, tensor.offset, tensor.byteLength, name),
        columns,
        tensor.interleavedHeads,
      );
    const all = await readExactly(this.file, tensor.offset, rows * stride, name);
    const bytes = new Uint8Array(rowCount * stride);
    for (let i = 0; i < rowCount; i++) {
      const source = storedRow(firstRow + i, rows, tensor.interleavedHeads);
      bytes.set(all.subarray(source * stride, (source + 1) * stride), i * stride);
    }
    return bytes;
  }

  override async close(): Promise<void> {
    await this.file.close();
  }
}

/** GGUF stores row j and row half + j of each head next to each other; the hub keeps the two halves apart. */
function storedRow(row: number, rows: number, heads: number): number {
  const headRows = rows / heads;
  const inHead = row % headRows;
  const half = headRows / 2;
  return row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
}

function permuteElements(bytes: Uint8Array, count: number, heads: number): Uint8Array {
  const width = bytes.length / count;
  const permuted = new Uint8Array(bytes.length);
  for (let i = 0; i < count; i++) {
    const source = storedRow(i, count, heads);
    permuted.set(bytes.subarray(source * width, (source + 1) * width), i * width);
  }
  return permuted;
}

function hubName(name: string): string | undefined {
  const top = TOP_NAMES[name];
  if (top !== undefined) return top;
  const match = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name);
  const part = LAYER_NAMES[match?.[2] ?? ''];
  return part === undefined ? undefined : `model.layers.${match?.[1]}.${part}.${match?.[3]}`;
}
