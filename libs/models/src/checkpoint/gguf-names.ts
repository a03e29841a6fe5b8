const TOP_NAMES: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};

const LAYER_NAMES: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  ffn_norm: 'post_attention_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

/** What the hub calls a tensor of a GGUF file; a name that is not known stays as it is. */
export function hubTensorName(ggufName: string): string {
  const top = TOP_NAMES[ggufName];
  if (top !== undefined) return top;
  const match = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(ggufName);
  const part = LAYER_NAMES[match?.[2] ?? ''];
  return part === undefined ? ggufName : `model.layers.${match?.[1]}.${part}.${match?.[3]}`;
}
