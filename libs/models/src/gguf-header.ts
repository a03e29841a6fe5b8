import { type FileHandle, open, stat } from 'node:fs/promises';
import type { GGUFTensorInfo } from '@huggingface/gguf';
import { LARGEST_FACTOR, MOST, SMALLEST_FACTOR } from './config-values.js';
import { UnsupportedModelError } from './errors.js';

/** Metadata and tensor list of a GGUF file, without the tensors' data. Missing keys are `undefined`, wrong types throw. */
export class GgufHeader {
  private constructor(
    readonly path: string,
    private readonly metadata: Readonly<Record<string, unknown>>,
    readonly tensorInfos: readonly GGUFTensorInfo[],
    /** Offset of the tensor data in the file, in bytes. */
    readonly tensorDataOffset: number,
  ) {}

  /** @throws UnsupportedModelError when it is no GGUF file */
  static async read(path: string): Promise<GgufHeader> {
    const { gguf } = await import('@huggingface/gguf'); // only here: it brings much that other formats do without
    let parsed: Awaited<ReturnType<typeof gguf>>;
    try {
      parsed = await gguf(path, { allowLocalFile: true });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== undefined) throw cause;
      throw new UnsupportedModelError(path, `it is not a readable GGUF file (${(cause as Error).message})`, { cause });
    }
    // The parser reads zeros beyond the end of a file.
    const { size } = await stat(path);
    const isCutOff = parsed.tensorInfos.some(({ offset }) => parsed.tensorDataOffset + offset >= BigInt(size));
    if (isCutOff || parsed.tensorDataOffset > BigInt(size))
      throw new UnsupportedModelError(path, 'the file is cut off');
    if (!parsed.littleEndian) throw new UnsupportedModelError(path, 'it is a big-endian GGUF file');
    return new GgufHeader(path, { ...parsed.metadata }, parsed.tensorInfos, Number(parsed.tensorDataOffset));
  }

  number(key: string): number | undefined {
    const value = this.metadata[key];
    if (value === undefined) return undefined;
    if (typeof value === 'number') return value;
    if (typeof value === 'bigint') return Number(value);
    throw this.wrongType(key, 'a number');
  }

  /** A number of things, of which there is one at least. */
  size(key: string): number | undefined {
    const value = this.number(key);
    if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= MOST)) return value;
    throw this.wrongType(key, `a whole number from 1 to ${MOST}, but ${value}`);
  }

  /** A number that is multiplied and divided with, in single precision. */
  factor(key: string): number | undefined {
    const value = this.float(key);
    if (value === undefined || (value >= SMALLEST_FACTOR && value <= LARGEST_FACTOR)) return value;
    throw this.wrongType(key, `a number from ${SMALLEST_FACTOR} to ${LARGEST_FACTOR}, but ${value}`);
  }

  /** Single-precision values carry noise in their 8th digit: 1e-5 is stored as 0.00000999999974…. */
  float(key: string): number | undefined {
    const value = this.number(key);
    return value === undefined ? undefined : Number(value.toPrecision(7));
  }

  string(key: string): string | undefined {
    const value = this.metadata[key];
    if (value === undefined || typeof value === 'string') return value;
    throw this.wrongType(key, 'a string');
  }

  boolean(key: string): boolean | undefined {
    const value = this.metadata[key];
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.wrongType(key, 'a boolean');
  }

  strings(key: string): readonly string[] | undefined {
    return this.list(key, 'string', 'strings') as readonly string[] | undefined;
  }

  numbers(key: string): readonly number[] | undefined {
    return this.list(key, 'number', 'numbers') as readonly number[] | undefined;
  }

  required<T>(key: string, value: T | undefined): T {
    if (value === undefined) throw new UnsupportedModelError(this.path, `its metadata has no ${key}`);
    return value;
  }

  tensor(name: string): GGUFTensorInfo | undefined {
    return this.tensorInfos.find((info) => info.name === name);
  }

  /** Reads a small float32 vector, such as rope_freqs.weight. */
  async readFloats(info: GGUFTensorInfo): Promise<number[]> {
    if (info.dtype !== 0) throw new UnsupportedModelError(this.path, `its tensor ${info.name} is not float32`);
    const bytes = new Uint8Array(4 * Number(info.shape.reduce((product, size) => product * size, 1n)));
    let file: FileHandle | undefined;
    try {
      file = await open(this.path);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, this.tensorDataOffset + Number(info.offset));
      if (bytesRead < bytes.length) throw new UnsupportedModelError(this.path, 'it ends inside a tensor');
    } finally {
      await file?.close();
    }
    const view = new DataView(bytes.buffer);
    return Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(4 * index, true));
  }

  private list(key: string, type: 'string' | 'number', what: string): readonly unknown[] | undefined {
    const value = this.metadata[key];
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((item) => typeof item === type)) return value;
    throw this.wrongType(key, `a list of ${what}`);
  }

  private wrongType(key: string, expected: string): UnsupportedModelError {
    return new UnsupportedModelError(this.path, `its metadata ${key} is not ${expected}`);
  }
}
