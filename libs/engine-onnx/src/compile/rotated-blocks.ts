import { BLOCK_ELEMENTS } from '#lib/models';
import { type BiasOptions, DecoderBlocks, type Vocabulary } from './decoder-blocks.js';
import type { GraphBuilder, Value } from './graph-builder.js';
import { Rotation } from './rotation.js';
import type { WeightStore } from './weight-store.js';

/**
 * Where the steps of normalized, rotated activations end, in standard deviations. Such elements are close to normally
 * distributed; 8 bits lose least where one in 16,000 is cut off.
 */
const LARGEST_DEVIATION = 4;

/**
 * Decoders whose products behind a norm multiply 8-bit activations by 8-bit weights, with one scale for each row of the weights and
 * one for all activations: twice as fast as blocks of 32. What makes that precise enough is that hidden rows are kept rotated
 * (x · R). Norms commute with R, their scales go into the weights behind them. Products that add to the hidden rows have
 * activations with outliers: they keep blocks, of up to 128.
 */
export class RotatedBlocks extends DecoderBlocks {
  private readonly rotation: Rotation;
  /** Scales of the norms that gave these values. */
  private readonly scaleOf = new Map<Value, Float32Array>();
  private readonly quantized = new Map<Value, Value>();
  private readonly step: Value;
  private readonly zero: Value;

  constructor(graph: GraphBuilder, weights: WeightStore, hiddenSize: number) {
    super(graph, weights, 'int8');
    this.rotation = new Rotation(hiddenSize);
    this.step = graph.constant('activation_step', 'float32', [], Float32Array.of(LARGEST_DEVIATION / 127));
    this.zero = graph.constant('activation_zero', 'uint8', [], Uint8Array.of(128));
  }

  /** The scale goes into the weights behind the norm. */
  protected override async normScale(normed: Value, weight: string): Promise<Value> {
    this.scaleOf.set(normed, await this.weights.tensors.vector([weight]));
    return this.ones();
  }

  override selectRows(name: string, normed: Value, indices: Value): Value {
    const rows = super.selectRows(name, normed, indices);
    this.scaleOf.set(rows, this.scaleBehind(normed));
    return rows;
  }

  protected override async product(name: string, normed: Value, tensors: readonly string[]): Promise<Value> {
    const scale = this.scaleBehind(normed);
    const { codes, scales } = await this.weights.eightBitByRow(`${name}.weight`, tensors, (rows) => {
      for (let i = 0; i < rows.length; i++) rows[i] = (rows[i] as number) * (scale[i % scale.length] as number);
      this.rotation.rotateRows(rows);
    });
    const inputs = [this.quantize(normed), codes, this.step, scales, this.zero];
    return this.graph.contrib('MatMulIntegerToFloat', inputs, [name]);
  }

  override async linearToHidden(name: string, x: Value, tensor: string, { isBiased }: BiasOptions): Promise<Value> {
    const { rows, columns } = this.weights.tensors.blockShape([`${tensor}.weight`]);
    const blockElements = [128, 64].find((elements) => columns % elements === 0) ?? BLOCK_ELEMENTS;
    const { codes, scales } = await this.weights.eightBitByColumns(
      `${name}.weight`,
      [`${tensor}.weight`],
      blockElements,
      (values) => this.rotation.rotateRows(values),
    );
    const y = this.blockProduct(name, [x, codes, scales], 8, columns, rows, blockElements);
    if (!isBiased || !this.weights.tensors.has(`${tensor}.bias`)) return y;
    const bias = await this.weights.tensors.vector([`${tensor}.bias`]);
    this.rotation.rotateRows(bias);
    const rotated = this.graph.constant(`${name}.bias`, 'float32', [bias.length], bias);
    return this.graph.op('Add', [y, rotated], `${name}.biased`);
  }

  /** The table stays as it is, in 8 bit; what comes out of it is rotated, and rotated back before the output layer. */
  override async embedding(tensor: string, headTensor: string | undefined): Promise<Vocabulary> {
    const { embed, logits } = await super.embedding(tensor, headTensor);
    const { width } = this.rotation;
    const rotate = await this.weights.computed('rotation', [width, width], () => this.rotation.matrix());
    return {
      embed: (ids) => this.graph.op('MatMul', [embed(ids), rotate], 'embedded_rotated'),
      logits: async (rows) => {
        const scale = this.graph.constant('final_scale', 'float32', [width], this.scaleBehind(rows));
        const straight = this.graph.op('Gemm', [rows, rotate], 'last_rows_straight', { transB: 1 });
        return logits(this.graph.op('Mul', [straight, scale], 'last_rows_scaled'));
      },
    };
  }

  private quantize(normed: Value): Value {
    const known = this.quantized.get(normed);
    if (known !== undefined) return known;
    const codes = this.graph.op('QuantizeLinear', [normed, this.step, this.zero], `${normed}.codes`);
    this.quantized.set(normed, codes);
    return codes;
  }

  private scaleBehind(value: Value): Float32Array {
    const scale = this.scaleOf.get(value);
    if (scale === undefined) throw new Error(`${value} comes from no norm.`);
    return scale;
  }

  private ones(): Value {
    const { width } = this.rotation;
    return this.graph.constant('ones', 'float32', [width], new Float32Array(width).fill(1));
  }
}
