import type { ArchitectureInput } from './architecture.js';

/** Llama 1 to 3 and what has their shape: RMSNorm, rotary attention with grouped heads, gated SiLU. */
export async function buildLlama({ config, graph, blocks, rope }: ArchitectureInput): Promise<void> {
  const { layers, attentionHeads: heads, kvHeads, headDim, rmsNormEps, tiedEmbeddings } = config;
  const vocabulary = await blocks.embedding('model.embed_tokens.weight', tiedEmbeddings ? undefined : 'lm_head.weight');

  let residual = vocabulary.embed('input_ids');
  let normed = await blocks.rmsNorm(
    'layer_0.attention_norm',
    residual,
    'model.layers.0.input_layernorm.weight',
    rmsNormEps,
  );
  for (let layer = 0; layer < layers; layer++) {
    const at = `layer_${layer}`;
    const tensors = `model.layers.${layer}`;
    const projections = ['q_proj', 'k_proj', 'v_proj'].map((part) => `${tensors}.self_attn.${part}`);

    const qkv = await blocks.linear(`${at}.qkv`, normed, projections);
    const attended = blocks.attention(`${at}.attention`, qkv, layer, { heads, kvHeads, headDim, ...rope });
    const projected = await blocks.linear(`${at}.attention_out`, attended, [`${tensors}.self_attn.o_proj`]);
    const middle = await blocks.addRmsNorm(
      `${at}.mlp_norm`,
      residual,
      projected,
      `${tensors}.post_attention_layernorm.weight`,
      rmsNormEps,
    );

    const gate = await blocks.linear(`${at}.gate`, middle.normed, [`${tensors}.mlp.gate_proj`]);
    const up = await blocks.linear(`${at}.up`, middle.normed, [`${tensors}.mlp.up_proj`]);
    const down = await blocks.linear(`${at}.down`, blocks.gatedSilu(`${at}.gated`, gate, up), [
      `${tensors}.mlp.down_proj`,
    ]);
    const next = layer + 1 < layers ? `model.layers.${layer + 1}.input_layernorm.weight` : 'model.norm.weight';
    const after = await blocks.addRmsNorm(`${at}.end_norm`, middle.sum, down, next, rmsNormEps);
    residual = after.sum;
    normed = after.normed;
  }

  const flat = graph.op('Reshape', [normed, graph.int64s('flat_shape', [-1, config.hiddenSize])], 'hidden_rows');
  await vocabulary.logits(graph.op('Gather', [flat, 'last_index'], 'last_rows', { axis: 0 }));
}
