import { BLOCK_ELEMENTS } from '#lib/models';
import type { WeightsForm } from '../compiled-model.js';
import { type GraphBuilder, NONE, type Value } from './graph-builder.js';
import type { WeightStore } from './weight-store.js';

/** MatMulNBits computes with activations quantized to 8 bit: the only level with fast kernels on CPUs (measured; level 1 is 5 to 30 times slower at one row). */
const ACCURACY_LEVEL = 4;

export interface AttentionOptions {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** The tables hold the root of the scale that products of queries and keys have. */
  readonly cos: Value;
  readonly sin: Value;
}

export interface BiasOptions {
  readonly isBiased: boolean;
}

/** The forms of `DecoderBlocks`; `w8a8` is `RotatedBlocks`. */
export type BlockForm = Exclude<WeightsForm, 'w8a8'>;

/** A product with weights, to which adapters may add. */
export interface WeightedProduct {
  /** What it gives, before a bias. */
  readonly value: Value;
  readonly x: Value;
  readonly columns: number;
  /** The weights whose rows stand one after another. */
  readonly weights: readonly { readonly module: string; readonly rows: number }[];
}

/** Token ids, int64 of any shape, to their embeddings; and, later, hidden rows [G, width] to logits. */
export interface Vocabulary {
  embed(ids: Value): Value;
  logits(rows: Value): Promise<Value>;
}

/**
 * The parts that decoders are made of, in one form of weights. Values are float32 [T, width], one row for each of the T = B · S
 * tokens, unless said otherwise: products of matrices, not of stacks of them, have the better operators.
 */
export class DecoderBlocks {
  /** Those of `linear`, in order. */
  readonly products: WeightedProduct[] = [];
  private readonly blockSums = new Map<Value, Value>();
  private shapeOfSequences: Value | undefined;

  constructor(
    protected readonly graph: GraphBuilder,
    protected readonly weights: WeightStore,
    private readonly form: BlockForm,
    /** Whether logits are made of few rows at a time. */
    private readonly isForPrompts = false,
  ) {}

  /**
   * x · Wᵀ (+ bias), the rows of several weights one after another.
   * @param weights   tensor names without `.weight`
   * @param isBiased  whether their biases are added when the checkpoint has them, all or none
   */
  async linear(name: string, x: Value, weights: readonly string[], { isBiased }: BiasOptions): Promise<Value> {
    const y = await this.product(
      name,
      x,
      weights.map((weight) => `${weight}.weight`),
    );
    this.products.push(this.weightedProduct(y, x, weights));
    const biases = weights.map((weight) => `${weight}.bias`);
    if (!isBiased || !biases.some((bias) => this.weights.tensors.has(bias))) return y;
    return this.graph.op('Add', [y, await this.weights.vector(`${name}.bias`, biases)], `${name}.biased`);
  }

  private weightedProduct(value: Value, x: Value, weights: readonly string[]): WeightedProduct {
    const shapes = weights.map((module) => ({ module, ...this.weights.tensors.shape([`${module}.weight`]) }));
    const { columns = 0 } = shapes[0] ?? {};
    return { value, x, columns, weights: shapes.map(({ module, rows }) => ({ module, rows })) };
  }

  /** As `linear`, of one weight, whose product is added to the hidden rows. */
  linearToHidden(name: string, x: Value, tensor: string, options: BiasOptions): Promise<Value> {
    return this.linear(name, x, [tensor], options);
  }

  async rmsNorm(name: string, x: Value, weight: string, epsilon: number): Promise<Value> {
    const scale = await this.normScale(name, weight);
    return this.graph.op('SimplifiedLayerNormalization', [x, scale], name, {
      axis: -1,
      epsilon: { float: epsilon },
      stash_type: 1,
    });
  }

  /** residual + x, normalized. @returns the normalized sum and the sum */
  async addRmsNorm(
    name: string,
    residual: Value,
    x: Value,
    weight: string,
    epsilon: number,
  ): Promise<{ normed: Value; sum: Value }> {
    const scale = await this.normScale(name, weight);
    const sum = `${name}.sum`;
    const outputs = [name, NONE, NONE, sum];
    this.graph.contrib('SkipSimplifiedLayerNormalization', [residual, x, scale], outputs, {
      epsilon: { float: epsilon },
    });
    return { normed: name, sum };
  }

  /** What a norm multiplies with. @param normed  the value that the norm gives */
  protected normScale(normed: Value, weight: string): Promise<Value> {
    return this.weights.vector(`${normed}.scale`, [weight]);
  }

  /**
   * Rotary attention over the layer's KV, which the operator extends in place; it alone sees sequences.
   * @param qkv  query, key and value, packed
   */
  attention(name: string, qkv: Value, layer: number, options: AttentionOptions): Value {
    const past = [`past_key_${layer}`, `past_value_${layer}`];
    const present = [`present_key_${layer}`, `present_value_${layer}`];
    const shape = ['B', options.kvHeads, 'M', options.headDim];
    for (const input of past) this.graph.input(input, 'float32', shape);
    for (const output of present) this.graph.output(output, 'float32', shape);
    const inputs = [
      this.sequences(`${name}.qkv`, qkv),
      NONE,
      NONE,
      ...past,
      'seqlens_k',
      'total_len',
      options.cos,
      options.sin,
    ];
    const attended = this.graph.contrib('GroupQueryAttention', inputs, [`${name}.attended`, ...present], {
      num_heads: options.heads,
      kv_num_heads: options.kvHeads,
      do_rotary: 1,
      rotary_interleaved: 0,
      scale: { float: 1 }, // the rotary tables have it
    });
    return this.rows(name, attended, options.heads * options.headDim);
  }

  /** [B, S, width] as [T, width]. */
  rows(name: string, x: Value, width: number): Value {
    return this.graph.op('Reshape', [x, this.graph.int64s(`rows_of_${width}`, [-1, width])], name);
  }

  /** [T, width] as [B, S, width]. */
  sequences(name: string, x: Value): Value {
    if (this.shapeOfSequences === undefined) {
      const tokens = this.graph.op('Shape', ['input_ids'], 'shape_of_tokens');
      const parts = [tokens, this.graph.int64s('any_width', [-1])];
      this.shapeOfSequences = this.graph.op('Concat', parts, 'shape_of_sequences', { axis: 0 });
    }
    return this.graph.op('Reshape', [x, this.shapeOfSequences], name);
  }

  /** Rows of what a norm gave: [T, width] to [G, width]. */
  selectRows(name: string, normed: Value, indices: Value): Value {
    return this.graph.op('Gather', [normed, indices], name, { axis: 0 });
  }

  /** SiLU(gate) × up. */
  gatedSilu(name: string, gate: Value, up: Value): Value {
    const silu = this.graph.contrib('QuickGelu', [gate], [`${name}.silu`], { alpha: { float: 1 } });
    return this.graph.op('Mul', [silu, up], name);
  }

  async embedding(tensor: string, headTensor: string | undefined): Promise<Vocabulary> {
    return this.form === 'fp32' ? this.floatEmbedding(tensor, headTensor) : this.quantizedEmbedding(tensor, headTensor);
  }

  private async floatEmbedding(tensor: string, headTensor: string | undefined) {
    const table = await this.weights.matrix('embedding', tensor);
    return {
      embed: (ids: Value) => this.graph.op('Gather', [table, ids], 'embedded'),
      logits: async (rows: Value) => {
        // One row needs no other order of the table, of which there would be two copies then.
        if (headTensor === undefined && this.isForPrompts) this.graph.readInPlace(table);
        const head = headTensor === undefined ? table : await this.weights.matrix('lm_head', headTensor);
        return this.graph.op('Gemm', [rows, head], 'logits', { transB: 1 });
      },
    };
  }

  private async quantizedEmbedding(tensor: string, headTensor: string | undefined) {
    const { rows, columns } = this.weights.tensors.shape([tensor]);
    const { codes, scales, codesAt, scalesAt } = await this.weights.embedding('embedding', tensor);
    const blocks = columns / BLOCK_ELEMENTS;
    return {
      embed: (ids: Value) =>
        this.graph.contrib('GatherBlockQuantized', [codes, ids, scales], ['embedded'], {
          bits: 8,
          block_size: BLOCK_ELEMENTS,
          gather_axis: 0,
          quantize_axis: 1,
        }),
      logits: async (hidden: Value) => {
        if (headTensor !== undefined) return this.eightBitProduct('logits', hidden, [headTensor]);
        // Tied: the same bytes of the file, in the shape that the product wants.
        const tied = this.graph.external('lm_head.codes', 'uint8', [rows, blocks, BLOCK_ELEMENTS], codesAt);
        const tiedScales = this.graph.external('lm_head.scales', 'float32', [rows * blocks], scalesAt);
        return this.blockProduct('logits', [hidden, tied, tiedScales], 8, columns, rows);
      },
    };
  }

  protected product(name: string, x: Value, tensors: readonly string[]): Promise<Value> {
    switch (this.form) {
      case 'fp32':
        return this.floatProduct(name, x, tensors);
      case 'int8':
        return this.eightBitProduct(name, x, tensors);
      case 'int4':
        return this.fourBitProduct(name, x, tensors);
      default:
        return this.form satisfies never;
    }
  }

  private async floatProduct(name: string, x: Value, tensors: readonly string[]): Promise<Value> {
    return this.graph.op('MatMul', [x, await this.weights.transposed(`${name}.weight`, tensors)], name);
  }

  private async eightBitProduct(name: string, x: Value, tensors: readonly string[]): Promise<Value> {
    const { rows, columns } = this.weights.tensors.shape(tensors);
    const { codes, scales, zeroPoints } = await this.weights.eightBit(`${name}.weight`, tensors);
    return this.blockProduct(name, [x, codes, scales, zeroPoints], 8, columns, rows);
  }

  /**
   * Exact for Q4_1: W = scale × (code - 8) + offset, so x · Wᵀ = MatMulNBits(x) + blocksum(x) · offsetᵀ. The second product has
   * 1/32 of the size; one block sum serves all products of the same x. Gemm adds in the same pass (a separate MatMul and Add took
   * 4 % more of a step at one row and 14 % more of a prompt; November 2026).
   */
  private async fourBitProduct(name: string, x: Value, tensors: readonly string[]): Promise<Value> {
    const { rows, columns } = this.weights.tensors.shape(tensors);
    const { codes, scales, offsets } = await this.weights.fourBit(`${name}.weight`, tensors);
    if (offsets === undefined) return this.blockProduct(name, [x, codes, scales], 4, columns, rows);
    const main = this.blockProduct(`${name}.main`, [x, codes, scales], 4, columns, rows);
    return this.graph.op('Gemm', [this.blockSum(x, columns), offsets, main], name);
  }

  protected blockProduct(
    name: string,
    inputs: readonly Value[],
    bits: 4 | 8,
    columns: number,
    rows: number,
    blockElements: number = BLOCK_ELEMENTS,
  ): Value {
    return this.graph.contrib('MatMulNBits', inputs, [name], {
      K: columns,
      N: rows,
      bits,
      block_size: blockElements,
      accuracy_level: ACCURACY_LEVEL,
    });
  }

  /** Sums over runs of 32 along the last axis: [T, columns] to [T, columns / 32]. */
  private blockSum(x: Value, columns: number): Value {
    const known = this.blockSums.get(x);
    if (known !== undefined) return known;
    const shape = this.graph.int64s(`blocks_of_${columns}`, [-1, columns / BLOCK_ELEMENTS, BLOCK_ELEMENTS]);
    const blocks = this.graph.op('Reshape', [x, shape], `${x}.blocks`);
    const sum = this.graph.op('ReduceSum', [blocks, this.graph.int64s('last_axis', [-1])], `${x}.block_sums`, {
      keepdims: 0,
    });
    this.blockSums.set(x, sum);
    return sum;
  }
}
