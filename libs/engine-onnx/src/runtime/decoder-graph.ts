/**
 * A compiled decoder as the runner sees it. Its tensors, with B sequences of S tokens and G rows of logits:
 *
 * | input | type and shape | meaning |
 * |---|---|---|
 * | `input_ids` | int64 [B, S] | tokens of this pass |
 * | `last_index` | int64 [G] | rows of the flattened [B · S] whose logits are wanted |
 * | `seqlens_k` | int32 [B] | positions in each slot after this pass, less one |
 * | `total_len` | int32 | largest number of positions in a slot after this pass |
 * | `past_key_i`, `past_value_i` | float32 [B, kvHeads, M, headDim] | layer i's KV, M positions to a slot |
 *
 * It gives `logits`, float32 [G, V], and `present_key_i`, `present_value_i` in the memory of their pasts.
 */
export interface DecoderGraph {
  /** File of the graph; its weights lie beside it. */
  readonly path: string;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabularySize: number;
  /** Most positions the model can compute. */
  readonly contextTokens: number;
}

/** The graph's file does not have the inputs or outputs it should have. */
export class DecoderGraphError extends Error {
  override readonly name = 'DecoderGraphError';
}

export const STEP_INPUTS = ['input_ids', 'last_index', 'seqlens_k', 'total_len'] as const;

export function layerNames<Prefix extends 'past' | 'present'>(prefix: Prefix, layer: number) {
  return { key: `${prefix}_key_${layer}`, value: `${prefix}_value_${layer}` } as const;
}

/**
 * @param furtherInputs  that it takes beside those of every decoder
 * @throws DecoderGraphError naming what is missing and what is unknown
 */
export function checkDecoderGraph(
  graph: DecoderGraph,
  session: { readonly inputNames: readonly string[]; readonly outputNames: readonly string[] },
  furtherInputs: readonly string[] = [],
): void {
  const layers = Array.from({ length: graph.layers }, (_, layer) => layer);
  const kvNames = (prefix: 'past' | 'present') => layers.flatMap((layer) => Object.values(layerNames(prefix, layer)));
  compare(graph.path, 'inputs', [...STEP_INPUTS, ...kvNames('past'), ...furtherInputs], session.inputNames);
  compare(graph.path, 'outputs', ['logits', ...kvNames('present')], session.outputNames);
}

function compare(path: string, direction: string, wanted: readonly string[], found: readonly string[]): void {
  const missing = wanted.filter((name) => !found.includes(name));
  const unknown = found.filter((name) => !wanted.includes(name));
  if (missing.length === 0 && unknown.length === 0) return;
  const differences = [
    ...(missing.length > 0 ? [`missing ${missing.join(', ')}`] : []),
    ...(unknown.length > 0 ? [`unknown ${unknown.join(', ')}`] : []),
  ];
  throw new DecoderGraphError(`${path} does not have the ${direction} of its manifest: ${differences.join('; ')}.`);
}
