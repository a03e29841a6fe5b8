import type { DecoderBlocks } from './decoder-blocks.js';
import { type GraphBuilder, NONE, type Value } from './graph-builder.js';
import type { WeightStore } from './weight-store.js';

/** The parts that encoders have beside those of decoders. Values are float32 [B, S, width] unless said otherwise. */
export class EncoderBlocks {
  constructor(
    private readonly graph: GraphBuilder,
    private readonly weights: WeightStore,
    private readonly shared: DecoderBlocks,
  ) {}

  /** x · Wᵀ + bias. @param weight  tensor name without `.weight` */
  linear(name: string, x: Value, weight: string): Promise<Value> {
    return this.shared.linear(name, x, [weight]);
  }

  /** Token ids int64 [B, S] to their embeddings. */
  async embedding(tensor: string, ids: Value): Promise<Value> {
    return (await this.shared.embedding(tensor, undefined)).embed(ids);
  }

  /** The embeddings of positions 0 to S - 1, float32 [S, width]. @param like  anything that begins with [B, S] */
  async positions(name: string, tensor: string, like: Value): Promise<Value> {
    const table = await this.weights.matrix(`${name}.table`, tensor);
    const shape = this.graph.op('Shape', [like], `${name}.shape`);
    const length = this.graph.op('Gather', [shape, this.graph.int64s('axis_1', [1])], `${name}.length`, { axis: 0 });
    const zero = this.graph.int64s('axis_0', [0]);
    return this.graph.op('Slice', [table, zero, length, zero], name);
  }

  /** One row of a table, float32 [1, width]. */
  async row(name: string, tensor: string, index: number): Promise<Value> {
    const table = await this.weights.matrix(`${name}.table`, tensor);
    return this.graph.op('Gather', [table, this.graph.int64s(`${name}.index`, [index])], name, { axis: 0 });
  }

  add(name: string, left: Value, right: Value): Value {
    return this.graph.op('Add', [left, right], name);
  }

  /** @param tensor  name without `.weight` and `.bias` */
  async layerNorm(name: string, x: Value, tensor: string, epsilon: number): Promise<Value> {
    const scale = await this.weights.vector(`${name}.scale`, [`${tensor}.weight`]);
    const bias = await this.weights.vector(`${name}.bias`, [`${tensor}.bias`]);
    return this.graph.op('LayerNormalization', [x, scale, bias], name, { axis: -1, epsilon: { float: epsilon } });
  }

  /** Every token attends to every token that the mask, int32 [B, S], does not hide. */
  attention(name: string, query: Value, key: Value, value: Value, mask: Value, heads: number): Value {
    const inputs = [query, key, value, NONE, mask];
    return this.graph.contrib('MultiHeadAttention', inputs, [name], { num_heads: heads });
  }

  /** x · Φ(x), by the error function. */
  gelu(name: string, x: Value): Value {
    return this.graph.op('Gelu', [x], name, { approximate: 'none' });
  }

  /** The mean over the tokens that the mask shows, float32 [B, width], scaled to length 1. */
  normalizedMean(name: string, x: Value, mask: Value): Value {
    const { graph } = this;
    const tokens = graph.int64s('axis_1', [1]);
    const shown = graph.op('Cast', [mask], `${name}.shown`, { to: 1 });
    const weight = graph.op('Unsqueeze', [shown, graph.int64s('last_axis', [-1])], `${name}.weight`);
    const visible = graph.op('Mul', [x, weight], `${name}.visible`);
    const sum = graph.op('ReduceSum', [visible, tokens], `${name}.sum`, { keepdims: 0 });
    const count = graph.op('ReduceSum', [weight, tokens], `${name}.count`, { keepdims: 0 });
    const mean = graph.op('Div', [sum, count], `${name}.mean`);
    return graph.op('LpNormalization', [mean], name, { axis: -1, p: 2 });
  }
}
