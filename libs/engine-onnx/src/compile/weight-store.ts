import { BLOCK_ELEMENTS } from '#lib/models';
import { type CheckpointTensors, checkFinite, slabFloats } from './checkpoint-tensors.js';
import type { ExternalData, GraphBuilder, Value } from './graph-builder.js';
import { packNibbles, roundRows, toEightBit, toFourBit, toSymmetricEightBit } from './quantize.js';
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

  /** float32 of a shape, not of the checkpoint. */
  async computed(name: string, shape: readonly number[], compute: () => Float32Array): Promise<Value> {
    const [region] = await this.part(name, [], async (allocate) => {
      const values = compute();
      await allocate(values.byteLength).append(values);
    });
    return this.graph.external(name, 'float32', shape, region as ExternalData);
  }

  /** float32 [rows, columns], as it stands. */
  async matrix(name: string, tensor: string): Promise<Value> {
    const { rows, columns } = this.tensors.shape([tensor]);
    const [region] = await this.part(name, [tensor], async (allocate) => {
      const values = allocate(rows * columns * 4);
      for await (const slab of this.tensors.slabs([tensor])) await values.append(slabFloats(slab));
    });
    return this.graph.external(name, 'float32', [rows, columns], region as ExternalData);
  }

  /** float32 [columns, rows]: what MatMul multiplies with. Holds the whole of it in memory. */
  async transposed(name: string, tensors: readonly string[]): Promise<Value> {
    const { rows, columns } = this.tensors.shape(tensors);
    const [region] = await this.part(name, tensors, async (allocate) => {
      const whole = new Float32Array(rows * columns);
      for await (const slab of this.tensors.slabs(tensors)) {
        transposeInto(whole, rows, slab.firstRow, slabFloats(slab), columns);
      }
      await allocate(whole.byteLength).append(whole);
    });
    return this.graph.external(name, 'float32', [columns, rows], region as ExternalData);
  }

  /** For MatMulNBits: codes uint8 [rows, blocks, 32], scales [rows × blocks], zero points [rows × blocks]. */
  async eightBit(
    name: string,
    tensors: readonly string[],
  ): Promise<{ codes: Value; scales: Value; zeroPoints: Value }> {
    const { rows, columns, blocks } = this.tensors.blockShape(tensors);
    const [codes, scales, zeroPoints] = (await this.part(name, tensors, async (allocate) => {
      const to = {
        codes: allocate(rows * columns),
        scales: allocate(rows * blocks * 4),
        zeroPoints: allocate(rows * blocks),
      };
      for await (const slab of this.tensors.slabs(tensors)) {
        const from = toEightBit(slab.dtype, slab.bytes, slab.elements);
        checkFinite(slab.tensor, from.scales);
        await to.codes.append(from.codes);
        await to.scales.append(from.scales);
        await to.zeroPoints.append(from.zeroPoints);
      }
    })) as [ExternalData, ExternalData, ExternalData];
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
    const [codes, scales, offsets] = (await this.part(name, tensors, async (allocate) => {
      const to = { codes: allocate((rows * columns) / 2), scales: allocate(rows * blocks * 4) };
      const leftOut = new Float32Array(blocks * rows);
      for await (const slab of this.tensors.slabs(tensors)) {
        const from = toFourBit(slab.dtype, slab.bytes, slab.elements);
        checkFinite(slab.tensor, from.scales);
        checkFinite(slab.tensor, from.minimums);
        await to.codes.append(packNibbles(from.codes));
        await to.scales.append(from.scales);
        for (let i = 0; i < from.scales.length; i++) {
          const row = slab.firstRow + Math.floor(i / blocks);
          leftOut[(i % blocks) * rows + row] = (from.minimums[i] as number) + 8 * (from.scales[i] as number);
        }
      }
      if (leftOut.some((offset) => offset !== 0)) await allocate(leftOut.byteLength).append(leftOut);
    })) as [ExternalData, ExternalData, ExternalData?];
    return {
      codes: this.graph.external(`${name}.codes`, 'uint8', [rows, blocks, BLOCK_ELEMENTS / 2], codes),
      scales: this.graph.external(`${name}.scales`, 'float32', [rows * blocks], scales),
      offsets: offsets && this.graph.external(`${name}.offsets`, 'float32', [blocks, rows], offsets),
    };
  }

  /**
   * For MatMulIntegerToFloat: int8 codes [columns, rows], one scale for each row. Holds the whole of it in memory.
   * @param prepare  changes whole rows of the weights before they are rounded
   */
  async eightBitByRow(
    name: string,
    tensors: readonly string[],
    prepare: (rows: Float32Array) => void,
  ): Promise<{ codes: Value; scales: Value }> {
    const { rows, columns } = this.tensors.shape(tensors);
    const [codes, scales] = (await this.part(name, tensors, async (allocate) => {
      const to = { codes: allocate(rows * columns), scales: allocate(rows * 4) };
      const whole = new Int8Array(rows * columns);
      const wholeScales = new Float32Array(rows);
      for await (const slab of this.tensors.slabs(tensors)) {
        const values = slabFloats(slab);
        prepare(values);
        const from = roundRows(values, columns);
        transposeInto(whole, rows, slab.firstRow, from.codes, columns);
        wholeScales.set(from.scales, slab.firstRow);
      }
      await to.codes.append(whole);
      await to.scales.append(wholeScales);
    })) as [ExternalData, ExternalData];
    return {
      codes: this.graph.external(`${name}.codes`, 'int8', [columns, rows], codes),
      scales: this.graph.external(`${name}.scales`, 'float32', [rows], scales),
    };
  }

  /**
   * For MatMulNBits of 8 bits, zero point 128: codes uint8 [rows, blocks, blockElements], scales [rows × blocks]. Holds the whole of it in memory.
   * @param prepare  changes whole columns of the weights, each [rows], before they are rounded
   */
  async eightBitByColumns(
    name: string,
    tensors: readonly string[],
    blockElements: number,
    prepare: (columns: Float32Array) => void,
  ): Promise<{ codes: Value; scales: Value }> {
    const { rows, columns } = this.tensors.shape(tensors);
    const blocks = columns / blockElements;
    const [codes, scales] = (await this.part(name, tensors, async (allocate) => {
      const to = { codes: allocate(rows * columns), scales: allocate(rows * blocks * 4) };
      const byColumn = new Float32Array(rows * columns);
      for await (const slab of this.tensors.slabs(tensors)) {
        transposeInto(byColumn, rows, slab.firstRow, slabFloats(slab), columns);
      }
      prepare(byColumn);
      const byRow = new Float32Array(rows * columns);
      transposeInto(byRow, columns, 0, byColumn, rows);
      const from = roundRows(byRow, blockElements);
      await to.codes.append(Uint8Array.from(from.codes, (code) => code + 128));
      await to.scales.append(from.scales);
    })) as [ExternalData, ExternalData];
    return {
      codes: this.graph.external(`${name}.codes`, 'uint8', [rows, blocks, blockElements], codes),
      scales: this.graph.external(`${name}.scales`, 'float32', [rows * blocks], scales),
    };
  }

  /** Symmetric 8 bit, zero point 128: codes [rows, columns] and scales [rows, blocks], and the regions to share with a tied output layer. */
  async embedding(
    name: string,
    tensor: string,
  ): Promise<{ codes: Value; scales: Value; codesAt: ExternalData; scalesAt: ExternalData }> {
    const { rows, columns, blocks } = this.tensors.blockShape([tensor]);
    const [codesAt, scalesAt] = (await this.part(name, [tensor], async (allocate) => {
      const to = { codes: allocate(rows * columns), scales: allocate(rows * blocks * 4) };
      for await (const slab of this.tensors.slabs([tensor])) {
        const from = toSymmetricEightBit(slab.dtype, slab.bytes, slab.elements);
        checkFinite(slab.tensor, from.scales);
        await to.codes.append(from.codes);
        await to.scales.append(from.scales);
      }
    })) as [ExternalData, ExternalData];
    return {
      codes: this.graph.external(`${name}.codes`, 'uint8', [rows, columns], codesAt),
      scales: this.graph.external(`${name}.scales`, 'float32', [rows, blocks], scalesAt),
      codesAt,
      scalesAt,
    };
  }

  /** What `write` puts into the file, or an earlier attempt has put there. @returns its regions, in the order of their allocation */
  private async part(
    name: string,
    tensors: readonly string[],
    write: (allocate: (length: number) => Region) => Promise<void>,
  ): Promise<readonly ExternalData[]> {
    const found = await this.file.findPart(name);
    if (found === undefined) return this.file.writePart(name, write);
    this.tensors.pass(tensors);
    return found;
  }
}

/** Side of the squares that are transposed at once, so that what is read and what is written both stay in the cache. */
const TILE = 32;

/** Writes values [n, columns] as the columns from `firstColumn` of a matrix [columns, width]. */
function transposeInto<Values extends Float32Array | Int8Array>(
  matrix: Values,
  width: number,
  firstColumn: number,
  values: Values,
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
