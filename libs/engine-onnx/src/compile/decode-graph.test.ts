import onnxProto from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { forSingleTokens } from './decode-graph.js';
import { GraphBuilder } from './graph-builder.js';

const nodesOf = (graph: GraphBuilder) => onnxProto.onnx.ModelProto.decode(graph.encode()).graph!.node!;

describe('forSingleTokens', () => {
  it('given a graph, when made for single tokens, then its attention gives its scores, which nobody reads, and nothing else differs', () => {
    const graph = new GraphBuilder();
    graph.input('x', 'float32', ['T', 4]);
    graph.contrib('GroupQueryAttention', ['x'], ['attended', 'key', 'value'], { num_heads: 1 });
    graph.output(graph.op('Identity', ['attended'], 'y'), 'float32', ['T', 4]);
    const before = nodesOf(graph);

    const [attention, identity] = nodesOf(forSingleTokens(graph));
    expect(attention!.output).toEqual(['attended', 'key', 'value', 'attended.scores']);
    expect(attention!.attribute!.map(({ name, i }) => [name, Number(i)])).toEqual([
      ['num_heads', 1],
      ['qk_output', 1],
    ]);
    expect(identity).toEqual(before[1]);
    expect(nodesOf(graph)).toEqual(before);
  });
});
