import type { GraphBuilder } from './graph-builder.js';

/** `QKOutputType` of ONNX Runtime: products of queries and keys, before their softmax. */
const SCORES = 1;

/**
 * The same decoder for runs in which each sequence has one token. Its attention gives its scores, too, which nobody reads: ONNX Runtime then takes the
 * operator's path over whole rows of scores, whose two products are vectorized, instead of the one for single tokens, whose loops are not
 * (ONNX Runtime 1.30 and 1.32 on x64: a step of SmolLM2 in int4 is 1.12 times as fast at one row, 1.08 to 1.12 at 8 and 1.14 to 1.18 at 16; November 29, 2026).
 * For prompts that path would be slower, and take memory for [heads, tokens, positions].
 */
export function forSingleTokens(graph: GraphBuilder): GraphBuilder {
  return graph.withFurther('GroupQueryAttention', (attended) => ({
    outputs: [`${attended}.scores`],
    attributes: { qk_output: SCORES },
  }));
}
