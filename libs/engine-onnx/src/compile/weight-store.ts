import { BLOCK_ELEMENTS, type Checkpoint, rowsOf, toFloats } from '#lib/models';
import type { GraphBuilder, Value } from './graph-builder.js';
import { packNibbles, toEightBit, toFourBit, toSymmetricEightBit } from './quantize.js';
import type { Region, WeightsFile } from './weights-file.js';

/** Elements read at once: 4 MiB of float32, so that memory does not grow with the tensor. */
const SLAB_ELEMENTS = 1 << 20;

/** Called after each tensor. */
export type TensorDone = (name: string, bytesRead: number) => void;

/** A dimension does not divide into blocks of 32. */
export class BlockSizeError extends Error {
  override readonly name = 'BlockSizeError';
  constructor(tensor: string, columns: number) {
    super(
      `the tensor ${tensor} has rows of ${columns} elements; int8 and int4 weights need a multiple of ${BLOCK_ELEMENTS}: use fp32`,
    );
  }
}

interface Slab {
  readonly bytes: Uint8Array;
  readonly dtype: Parameters<typeof toFloats>[0];
  readonly rows: number;
  /** First row, counted over all the tensors that are packed together. */
  readonly firstRow: number;
}

/** Moves tensors from a checkpoint into the initializers of a graph, in the form an operator wants, slab by slab. */
export class WeightStore {
  constructor(
    private readonly checkpoint: Checkpoint,
    private readonly graph: GraphBuilder,
    private readonly file: WeightsFile,
    private readonly onTensor: TensorDone,
    private readonly signal: AbortSignal | undefined,
  ) {}

  has(tensor: string): boolean {
    return this.checkpoint.tensors.has(tensor);
  }

  /** Rows over all tensors, and columns, which must agree. */
  shape(tensors: readonly string[]): { rows: number; columns: number } {
    const shapes = tensors.map((name) => rowsOf(this.checkpoint.info(name)));
    return { rows: shapes.reduce((sum, each) => sum + each.rows, 0), columns: shapes[0]?.columns ?? 0 };
  }

  /** Vectors, one after another, as float32 in the graph. */
  async vector(name: string, tensors: readonly string[]): Promise<Value> {
    const parts: Float32Array[] = [];
    for (const tensor of tensors) {
      const { dtype } = this.checkpoint.info(tensor);
      const { columns } = rowsOf(this.checkpoint.info(tensor));
      parts.push(toFloats(dtype, await this.checkpoint.readRows(tensor, 0, 1), columns));
    }
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const values = new Float32Array(length);
    let at = 0;
    for (const part of parts) {
      values.set(part, at);
      at += part.length;
    }
    return this.graph.constant(name, 'float32', [length], values);
  }

  /** float32 [rows, columns], as it stands. */
  async matrix(name: string, tensor: string): Promise<Value> {
    const { rows, columns } = this.shape([tensor]);
    const region = this.file.allocate(rows * columns * 4);
    for await (const slab of this.slabs([tensor])) {
      await region.write(slab.firstRow * columns * 4, toFloats(slab.dtype, slab.bytes, slab.rows * columns));
    }
    return this.graph.external(name, 'float32', [rows, columns], region);
  }

  /** float32 [columns, rows]: what MatMul multiplies with. Holds the whole of it in memory. */
  async transposed(name: string, tensors: readonly string[]): Promise<Value> {
    const { rows, columns } = this.shape(tensors);
    const whole = new Float32Array(rows * columns);
    for await (const slab of this.slabs(tensors)) {
      const values = toFloats(slab.dtype, slab.bytes, slab.rows * columns);
      for (let row = 0; row < slab.rows; row++) {
        for (let column = 0; column < columns; column++)
          whole[column * rows + slab.firstRow + row] = values[row * columns + column] as number;
      }
    }
    const region = this.file.allocate(whole.byteLength);
    await region.write(0, whole);
    return this.graph.external(name, 'float32', [columns, rows], region);
  }

  /** For MatMulNBits: codes uint8 [rows, blocks, 32], scales [rows × blocks], zero points [rows × blocks]. */
  async eightBit(
    name: string,
    tensors: readonly string[],
  ): Promise<{ codes: Value; scales: Value; zeroPoints: Value }> {
    const { rows, columns, blocks } = this.blockShape(tensors);
    const codes = this.file.allocate(rows * columns);
    const scales = this.file.allocate(rows * blocks * 4);
    const zeroPoints = this.file.allocate(rows * blocks);
    for await (const slab of this.slabs(tensors)) {
      const part = toEightBit(slab.dtype, slab.bytes, slab.rows * columns);
      await codes.write(slab.firstRow * columns, part.codes);
      await scales.write(slab.firstRow * blocks * 4, part.scales);
      await zeroPoints.write(slab.firstRow * blocks, part.zeroPoints);
    }
    return {
      codes: this.graph.external(`${name}.codes`, 'uint8', [rows, blocks, BLOCK_ELEMENTS], codes),
      scales: this.graph.external(`${name}.scales`, 'float32', [rows * blocks], scales),
      zeroPoints: this.graph.external(`${name}.zero_points`, 'uint8', [rows * blocks], zeroPoints),
    };
  }

  /**
   * For MatMulNBits with zero point 8, and what it leaves out: element = scale × (code - 8) + offset.
   * @returns codes uint8 [rows, blocks, 16], scales [rows × blocks], offsets float32 [blocks, rows], or undefined when all are 0
   */
  async fourBit(
    name: string,
    tensors: readonly string[],
  ): Promise<{ codes: Value; scales: Value; offsets: Value | undefined }> {
    const { rows, columns, blocks } = this.blockShape(tensors);
    const codes = this.file.allocate((rows * columns) / 2);
    const scales = this.file.allocate(rows * blocks * 4);
    const offsets = new Float32Array(blocks * rows);
    for await (const slab of this.slabs(tensors)) {
      const part = toFourBit(slab.dtype, slab.bytes, slab.rows * columns);
      await codes.write((slab.firstRow * columns) / 2, packNibbles(part.codes));
      await scales.write(slab.firstRow * blocks * 4, part.scales);
      for (let i = 0; i < part.scales.length; i++) {
        const row = slab.firstRow + Math.floor(i / blocks);
        offsets[(i % blocks) * rows + row] = (part.minimums[i] as number) + 8 * (part.scales[i] as number);
      }
    }
    return {
      codes: this.graph.external(`${name}.codes`, 'uint8', [rows, blocks, BLOCK_ELEMENTS / 2], codes),
      scales: this.graph.external(`${name}.scales`, 'float32', [rows * blocks], scales),
      offsets: offsets.some((offset) => offset !== 0)
        ? await this.whole(`${name}.offsets`, [blocks, rows], offsets)
        : undefined,
    };
  }

  /** Symmetric 8 bit, zero point 128: codes [rows, columns] and scales [rows, blocks], and the regions to share with a tied output layer. */
  async embedding(
    name: string,
    tensor: string,
  ): Promise<{ codes: Value; scales: Value; codesAt: Region; scalesAt: Region }> {
    const { rows, columns, blocks } = this.blockShape([tensor]);
    const codesAt = this.file.allocate(rows * columns);
    const scalesAt = this.file.allocate(rows * blocks * 4);
    for await (const slab of this.slabs([tensor])) {
      const part = toSymmetricEightBit(slab.dtype, slab.bytes, slab.rows * columns);
      await codesAt.write(slab.firstRow * columns, part.codes);
      await scalesAt.write(slab.firstRow * blocks * 4, part.scales);
    }
    return {
      codes: this.graph.external(`${name}.codes`, 'uint8', [rows, columns], codesAt),
      scales: this.graph.external(`${name}.scales`, 'float32', [rows, blocks], scalesAt),
      codesAt,
      scalesAt,
    };
  }

  private async whole(name: string, shape: readonly number[], values: Float32Array): Promise<Value> {
    const region = this.file.allocate(values.byteLength);
    await region.write(0, values);
    return this.graph.external(name, 'float32', shape, region);
  }

  private blockShape(tensors: readonly string[]): { rows: number; columns: number; blocks: number } {
    const { rows, columns } = this.shape(tensors);
    if (columns % BLOCK_ELEMENTS !== 0) throw new BlockSizeError(tensors[0] ?? '', columns);
    return { rows, columns, blocks: columns / BLOCK_ELEMENTS };
  }

  private async *slabs(tensors: readonly string[]): AsyncGenerator<Slab> {
    let before = 0;
    for (const name of tensors) {
      const info = this.checkpoint.info(name);
      const { rows, columns } = rowsOf(info);
      const step = Math.max(1, Math.floor(SLAB_ELEMENTS / columns));
      for (let row = 0; row < rows; row += step) {
        this.signal?.throwIfAborted();
        const count = Math.min(step, rows - row);
        yield {
          bytes: await this.checkpoint.readRows(name, row, count),
          dtype: info.dtype,
          rows: count,
          firstRow: before + row,
        };
      }
      before += rows;
      this.onTensor(name, info.byteLength);
    }
  }
}
