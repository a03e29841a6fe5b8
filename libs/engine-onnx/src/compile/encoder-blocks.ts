import type { Pooling } from '#lib/models';
import type { DecoderBlocks } from './decoder-blocks.js';
import { ELEMENT, type GraphBuilder, NONE, type Value } from './graph-builder.js';
import type { WeightStore } from './weight-store.js';

/** The parts that encoders have beside those of decoders. Values are float32 [B, S, width] unless said otherwise. */
export class EncoderBlocks {
  private readonly flat = new Map<Value, Value>();

  constructor(
    private readonly graph: GraphBuilder,
    private readonly weights: WeightStore,
    private readonly shared: DecoderBlocks,
  ) {}

  /** x · Wᵀ + bias. @param weight  tensor name without `.weight` */
  async linear(name: string, x: Value, weight: string): Promise<Value> {
    const { columns } = this.weights.tensors.shape([`${weight}.weight`]);
    const rows = this.rowsOf(x, columns);
    const y = await this.shared.linear(`${name}.product`, rows, [weight], { isBiased: true });
    return this.shared.sequences(name, y);
  }

  /** [B, S, width] as [T, width], once for all products of the same x: they then share its block sums, too. */
  private rowsOf(x: Value, width: number): Value {
    const rows = this.flat.get(x) ?? this.shared.rows(`${x}.rows`, x, width);
    this.flat.set(x, rows);
    return rows;
  }

  /** Token ids int64 [B, S] to their embeddings. */
  async embedding(tensor: string, ids: Value): Promise<Value> {
    return (await this.shared.embedding(tensor, undefined)).embed(ids);
  }

  /** The embeddings of positions 0 to S - 1, float32 [S, width]. @param like  anything that begins with [B, S] */
  async positions(name: string, tensor: string, like: Value): Promise<Value> {
    const table = await this.weights.matrix(`${name}.table`, tensor);
    const zero = this.graph.int64s('axis_0', [0]);
    return this.graph.op('Slice', [table, zero, this.lengthOf(name, like), zero], name);
  }

  /**
   * The embeddings of positions as RoBERTa counts them: tokens from `padTokenId + 1` on, and `padTokenId` itself, wherever it
   * stands, has the row of its own number and is not counted.
   */
  async positionsOf(name: string, tensor: string, ids: Value, padTokenId: number): Promise<Value> {
    const { graph } = this;
    const table = await this.weights.matrix(`${name}.table`, tensor);
    const pad = graph.int64s(`${name}.pad`, [padTokenId]);
    const isPad = graph.op('Equal', [ids, pad], `${name}.is_pad`);
    const counts = graph.op('Cast', [graph.op('Not', [isPad], `${name}.is_token`)], `${name}.counts`, {
      to: ELEMENT.int64,
    });
    const axis = graph.int64s('axis_1', [1]);
    const count = graph.op('Mul', [graph.op('CumSum', [counts, axis], `${name}.count`), counts], `${name}.own_count`);
    return graph.op('Gather', [table, graph.op('Add', [count, pad], `${name}.rows`)], name, { axis: 0 });
  }

  /**
   * What attention adds for the distance of two tokens, float32 [1, heads, S, S].
   * @param tensor   [buckets, heads]
   * @param buckets  int64 [2 × most tokens - 1], of the distances from the farthest behind to the farthest ahead
   */
  async distanceBias(name: string, tensor: string, buckets: Value, like: Value): Promise<Value> {
    const { graph } = this;
    const table = await this.weights.matrix(`${name}.table`, tensor);
    const scalar = (value: number) => graph.constant(`scalar_${value}`, 'int64', [], BigInt64Array.of(BigInt(value)));
    const length = graph.op('Squeeze', [this.lengthOf(name, like)], `${name}.scalar_length`);
    const places = graph.op('Range', [scalar(0), length, scalar(1)], `${name}.places`);
    const ahead = graph.op('Unsqueeze', [places, graph.int64s('axis_0', [0])], `${name}.ahead`);
    const from = graph.op('Unsqueeze', [places, graph.int64s('axis_1', [1])], `${name}.from`);
    const distance = graph.op('Sub', [ahead, from], `${name}.distance`);
    const total = graph.op('Shape', [buckets], `${name}.total`);
    const middle = graph.op('Div', [total, graph.int64s('two', [2])], `${name}.middle`); // that of distance 0
    const index = graph.op('Add', [distance, middle], `${name}.index`);
    const bucket = graph.op('Gather', [buckets, index], `${name}.bucket`, { axis: 0 });
    const byPair = graph.op('Gather', [table, bucket], `${name}.by_pair`, { axis: 0 });
    const byHead = graph.op('Transpose', [byPair], `${name}.by_head`, { perm: [2, 0, 1] });
    return graph.op('Unsqueeze', [byHead, graph.int64s('axis_0', [0])], name);
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

  /**
   * Every token attends to every token that the mask, int32 [B, S], does not hide.
   * @param options.bias  added before the softmax, [1, heads, S, S]
   */
  attention(
    name: string,
    query: Value,
    key: Value,
    value: Value,
    { mask, heads, bias = NONE }: { readonly mask: Value; readonly heads: number; readonly bias?: Value | undefined },
  ): Value {
    const inputs = [query, key, value, NONE, mask, bias];
    return this.graph.contrib('MultiHeadAttention', inputs, [name], { num_heads: heads });
  }

  /** x · Φ(x), by the error function. */
  gelu(name: string, x: Value): Value {
    return this.graph.op('Gelu', [x], name, { approximate: 'none' });
  }

  /** What becomes of the tokens that the mask shows: float32 [B, width]. */
  pooled(name: string, x: Value, mask: Value, pooling: Pooling): Value {
    switch (pooling) {
      case 'mean':
        return this.mean(name, x, mask);
      case 'max':
        return this.largest(name, x, mask);
      case 'cls':
        return this.graph.op('Gather', [x, this.graph.constant('first', 'int64', [], BigInt64Array.of(0n))], name, {
          axis: 1,
        });
      default:
        return pooling satisfies never;
    }
  }

  /** Scaled to length 1, [B, width]. */
  normalized(name: string, x: Value): Value {
    return this.graph.op('LpNormalization', [x], name, { axis: -1, p: 2 });
  }

  private mean(name: string, x: Value, mask: Value): Value {
    const { graph } = this;
    const tokens = graph.int64s('axis_1', [1]);
    const shown = graph.op('Cast', [mask], `${name}.shown`, { to: ELEMENT.float32 });
    const weight = graph.op('Unsqueeze', [shown, graph.int64s('last_axis', [-1])], `${name}.weight`);
    const visible = graph.op('Mul', [x, weight], `${name}.visible`);
    const sum = graph.op('ReduceSum', [visible, tokens], `${name}.sum`, { keepdims: 0 });
    const count = graph.op('ReduceSum', [weight, tokens], `${name}.count`, { keepdims: 0 });
    return graph.op('Div', [sum, count], name);
  }

  private largest(name: string, x: Value, mask: Value): Value {
    const { graph } = this;
    const shown = graph.op('Cast', [mask], `${name}.shown`, { to: ELEMENT.bool });
    const visible = graph.op('Unsqueeze', [shown, graph.int64s('last_axis', [-1])], `${name}.visible`);
    const least = graph.constant('least', 'float32', [], Float32Array.of(Number.NEGATIVE_INFINITY));
    const counted = graph.op('Where', [visible, x, least], `${name}.counted`);
    return graph.op('ReduceMax', [counted, graph.int64s('axis_1', [1])], name, { keepdims: 0 });
  }

  /** S, int64 [1]. @param like  anything that begins with [B, S] */
  private lengthOf(name: string, like: Value): Value {
    const shape = this.graph.op('Shape', [like], `${name}.shape`);
    return this.graph.op('Gather', [shape, this.graph.int64s('axis_1', [1])], `${name}.length`, { axis: 0 });
  }
}
