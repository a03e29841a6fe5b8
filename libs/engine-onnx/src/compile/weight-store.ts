import { BLOCK_ELEMENTS } from '#lib/models';
import { type CheckpointTensors, checkFinite, slabFloats } from './checkpoint-tensors.js';
import type { GraphBuilder, Value } from './graph-builder.js';
import { packNibbles, toEightBit, toFourBit, toSymmetricEightBit } from './quantize.js';
import type { Region, WeightsFile } from './weights-file.js';

/** Moves tensors from a checkpoint into the initializers of a graph, in the form an operator wants, slab by slab. */
export class WeightStore {
  constructor(
    readonly tensors: CheckpointTensors,
    private readonly graph: GraphBuilder,
    private readonly file: WeightsFile,
  ) {}

  /** Vectors, one after another, as float32 in the graph. */
  async vector(name: string, tensors: readonly string[]): Promise<Value> {
    const values = await this.tensors.vector(tensors);
    return this.graph.constant(name, 'float32', [values.length], values);
  }

  /** float32 [rows, columns], as it stands. */
  async matrix(name: string, tensor: string): Promise<Value> {
    const { rows, columns } = this.tensors.shape([tensor]);
    const region = this.file.allocate(rows * columns * 4);
    for await (const slab of this.tensors.slabs([tensor])) {
      await region.write(slab.firstRow * columns * 4, slabFloats(slab));
    }
    return this.graph.external(name, 'float32', [rows, columns], region);
  }

  /** float32 [columns, rows]: what MatMul multiplies with. Holds the whole of it in memory. */
  async transposed(name: string, tensors: readonly string[]): Promise<Value> {
    const { rows, columns } = this.tensors.shape(tensors);
    const whole = new Float32Array(rows * columns);
    for await (const slab of this.tensors.slabs(tensors)) {
      const values = slabFloats(slab);
      transposeInto(whole, rows, slab.firstRow, values, columns);
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
    const { rows, columns, blocks } = this.tensors.blockShape(tensors);
    const codes = this.file.allocate(rows * columns);
    const scales = this.file.allocate(rows * blocks * 4);
    const zeroPoints = this.file.allocate(rows * blocks);
    for await (const slab of this.tensors.slabs(tensors)) {
      const part = toEightBit(slab.dtype, slab.bytes, slab.elements);
      checkFinite(slab.tensor, part.scales);
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
    const { rows, columns, blocks } = this.tensors.blockShape(tensors);
    const codes = this.file.allocate((rows * columns) / 2);
    const scales = this.file.allocate(rows * blocks * 4);
    const offsets = new Float32Array(blocks * rows);
    for await (const slab of this.tensors.slabs(tensors)) {
      const part = toFourBit(slab.dtype, slab.bytes, slab.elements);
      checkFinite(slab.tensor, part.scales);
      checkFinite(slab.tensor, part.minimums);
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
    const { rows, columns, blocks } = this.tensors.blockShape([tensor]);
    const codesAt = this.file.allocate(rows * columns);
    const scalesAt = this.file.allocate(rows * blocks * 4);
    for await (const slab of this.tensors.slabs([tensor])) {
      const part = toSymmetricEightBit(slab.dtype, slab.bytes, slab.elements);
      checkFinite(slab.tensor, part.scales);
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
}

/** Side of the squares that are transposed at once, so that what is read and what is written both stay in the cache. */
const TILE = 32;

/** Writes values [n, columns] as the columns from `firstColumn` of a matrix [columns, width]. */
function transposeInto(
  matrix: Float32Array,
  width: number,
  firstColumn: number,
  values: Float32Array,
  columns: number,
): void {
  const count = values.length / columns;
  for (let rowTile = 0; rowTile < count; rowTile += TILE) {
    const endRow = Math.min(count, rowTile + TILE);
    for (let columnTile = 0; columnTile < columns; columnTile += TILE) {
      const endColumn = Math.min(columns, columnTile + TILE);
      for (let column = columnTile; column < endColumn; column++) {
        for (let row = rowTile; row < endRow; row++) {
          matrix[column * width + firstColumn + row] = values[row * columns + column] as number;
        }
      }
    }
  }
}
