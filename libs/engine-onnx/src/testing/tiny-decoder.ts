import { writeFileSync } from 'node:fs';
import onnxProto, { type onnx as Onnx } from 'onnx-proto';
import type { DecoderGraph } from '../runtime/decoder-graph.js';

const { onnx } = onnxProto;
const { FLOAT, INT32, INT64 } = onnx.TensorProto.DataType;
const LAYERS = 2;
const HEADS = 2;
const KV_HEADS = 1;
const HEAD_DIM = 16;
const HIDDEN = HEADS * HEAD_DIM;
const VOCABULARY = 40;
const CONTEXT = 64;

/** Writes a decoder of two attention layers with arbitrary fixed weights: no meaning, but the real graph's contract. */
export function writeTinyDecoder(path: string): DecoderGraph {
  writeFileSync(path, tinyDecoder());
  return {
    path,
    layers: LAYERS,
    kvHeads: KV_HEADS,
    headDim: HEAD_DIM,
    vocabularySize: VOCABULARY,
    contextTokens: CONTEXT,
  };
}

function tinyDecoder(): Uint8Array {
  const random = arbitraryNumbers(20261125);
  const initializer: Onnx.ITensorProto[] = [];
  const node: Onnx.INodeProto[] = [];
  const weight = (name: string, ...dims: number[]) => {
    const floatData = Array.from({ length: dims[0]! * dims[1]! }, () => random() / Math.sqrt(dims[0]!));
    initializer.push({ name, dims, dataType: FLOAT, floatData });
    return name;
  };
  const apply = (opType: string, input: string[], output: string) => {
    node.push({ opType, input, output: [output] });
    return output;
  };
  const multiply = (input: string, name: string, rows: number, columns: number) =>
    apply('MatMul', [input, weight(`${name}.weight`, rows, columns)], name);

  const angle = (position: number, pair: number) => position / 10_000 ** (pair / (HEAD_DIM / 2));
  for (const [name, turn] of [['cos', Math.cos] as const, ['sin', Math.sin] as const]) {
    const floatData = Array.from({ length: CONTEXT * (HEAD_DIM / 2) }, (_, index) =>
      turn(angle(Math.floor(index / (HEAD_DIM / 2)), index % (HEAD_DIM / 2))),
    );
    initializer.push({ name, dims: [CONTEXT, HEAD_DIM / 2], dataType: FLOAT, floatData });
  }
  initializer.push({ name: 'flat', dims: [2], dataType: INT64, int64Data: [-1, HIDDEN] });

  let hidden = apply('Gather', [weight('embedding', VOCABULARY, HIDDEN), 'input_ids'], 'embedded');
  for (let layer = 0; layer < LAYERS; layer++) {
    const query = multiply(hidden, `query_${layer}`, HIDDEN, HIDDEN);
    const key = multiply(hidden, `key_${layer}`, HIDDEN, KV_HEADS * HEAD_DIM);
    const value = multiply(hidden, `value_${layer}`, HIDDEN, KV_HEADS * HEAD_DIM);
    const past = [`past_key_${layer}`, `past_value_${layer}`];
    const present = [`present_key_${layer}`, `present_value_${layer}`];
    node.push({
      opType: 'GroupQueryAttention',
      domain: 'com.microsoft',
      input: [query, key, value, ...past, 'seqlens_k', 'total_len', 'cos', 'sin'],
      output: [`attended_${layer}`, ...present],
      attribute: [integer('num_heads', HEADS), integer('kv_num_heads', KV_HEADS), integer('do_rotary', 1)],
    });
    const output = multiply(`attended_${layer}`, `output_${layer}`, HIDDEN, HIDDEN);
    hidden = apply('Add', [hidden, output], `hidden_${layer}`);
  }
  apply('Reshape', [hidden, 'flat'], 'rows');
  apply('Gather', ['rows', 'last_index'], 'last');
  multiply('last', 'logits', HIDDEN, VOCABULARY);

  const kv = (prefix: string) =>
    Array.from({ length: LAYERS }, (_, layer) =>
      ['key', 'value'].map((side) => tensor(`${prefix}_${side}_${layer}`, FLOAT, ['B', KV_HEADS, 'M', HEAD_DIM])),
    ).flat();
  return onnx.ModelProto.encode({
    irVersion: 10,
    opsetImport: [
      { domain: '', version: 21 },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'tiny-decoder',
      node,
      initializer,
      input: [
        tensor('input_ids', INT64, ['B', 'S']),
        tensor('last_index', INT64, ['G']),
        tensor('seqlens_k', INT32, ['B']),
        tensor('total_len', INT32, []),
        ...kv('past'),
      ],
      output: [tensor('logits', FLOAT, ['G', VOCABULARY]), ...kv('present')],
    },
  }).finish();
}

function integer(name: string, value: number): Onnx.IAttributeProto {
  return { name, type: onnx.AttributeProto.AttributeType.INT, i: value };
}

function tensor(name: string, elemType: number, shape: (string | number)[]): Onnx.IValueInfoProto {
  const dim = shape.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

/** Numbers in [-1, 1), always the same for a seed (a linear congruential generator). */
function arbitraryNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}
