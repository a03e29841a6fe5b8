import { DecoderGraphError } from './decoder-graph.js';

/**
 * A compiled encoder as the runner sees it. Its tensors, with B inputs filled up to S tokens:
 *
 * | input | type and shape | meaning |
 * |---|---|---|
 * | `input_ids` | int64 [B, S] | tokens; any id where it is filled up |
 * | `attention_mask` | int32 [B, S] | 1 for tokens, 0 where it is filled up |
 *
 * It gives `vectors`, float32 [B, dimensions], pooled and, where the model's files say so, of length 1.
 */
export interface EncoderGraph {
  /** File of the graph; its weights lie beside it. */
  readonly path: string;
  readonly dimensions: number;
  readonly vocabularySize: number;
  /** Most positions the model can compute. */
  readonly contextTokens: number;
}

/** @throws DecoderGraphError when it is not such a graph */
export function checkEncoderGraph(
  { path }: EncoderGraph,
  session: { readonly inputNames: readonly string[]; readonly outputNames: readonly string[] },
): void {
  const found = [...session.inputNames, ...session.outputNames].sort().join(', ');
  if (found === 'attention_mask, input_ids, vectors') return;
  throw new DecoderGraphError(`${path} is not an encoder: its inputs and outputs are ${found}.`);
}
