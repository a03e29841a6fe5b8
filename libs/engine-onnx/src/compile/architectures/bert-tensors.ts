/** Where the parts of one layer are in a checkpoint: names without `.weight` and `.bias`. */
export interface BertLayerTensors {
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly attentionOut: string;
  readonly attentionNorm: string;
  readonly up: string;
  readonly down: string;
  readonly endNorm: string;
}

/** How a member of BERT's family names its tensors, and what it has beside or without BERT's. */
export interface BertTensors {
  /** What stands before all names where the checkpoint was saved with a head on top. */
  readonly headPrefix: string;
  /** Whether a row of a table that tells first sentences from second ones is added. */
  readonly hasTokenTypes: boolean;
  /** A table of how much attention looks at each distance, shared by all layers, [buckets, heads]. */
  readonly distanceBias?: string;
  readonly layer: (layer: number) => BertLayerTensors;
}

/** BERT. RoBERTa, XLM-RoBERTa and CamemBERT have its names too, behind another prefix. */
export function bertTensors(headPrefix: string): BertTensors {
  return {
    headPrefix,
    hasTokenTypes: true,
    layer: (layer) => {
      const from = `encoder.layer.${layer}`;
      return {
        query: `${from}.attention.self.query`,
        key: `${from}.attention.self.key`,
        value: `${from}.attention.self.value`,
        attentionOut: `${from}.attention.output.dense`,
        attentionNorm: `${from}.attention.output.LayerNorm`,
        ...mlpOf(from),
      };
    },
  };
}

export const DISTILBERT_TENSORS: BertTensors = {
  headPrefix: 'distilbert.',
  hasTokenTypes: false,
  layer: (layer) => {
    const from = `transformer.layer.${layer}`;
    return {
      query: `${from}.attention.q_lin`,
      key: `${from}.attention.k_lin`,
      value: `${from}.attention.v_lin`,
      attentionOut: `${from}.attention.out_lin`,
      attentionNorm: `${from}.sa_layer_norm`,
      up: `${from}.ffn.lin1`,
      down: `${from}.ffn.lin2`,
      endNorm: `${from}.output_layer_norm`,
    };
  },
};

export const MPNET_TENSORS: BertTensors = {
  headPrefix: 'mpnet.',
  hasTokenTypes: false,
  distanceBias: 'encoder.relative_attention_bias.weight',
  layer: (layer) => {
    const from = `encoder.layer.${layer}`;
    return {
      query: `${from}.attention.attn.q`,
      key: `${from}.attention.attn.k`,
      value: `${from}.attention.attn.v`,
      attentionOut: `${from}.attention.attn.o`,
      attentionNorm: `${from}.attention.LayerNorm`,
      ...mlpOf(from),
    };
  },
};

function mlpOf(from: string): Pick<BertLayerTensors, 'up' | 'down' | 'endNorm'> {
  return { up: `${from}.intermediate.dense`, down: `${from}.output.dense`, endNorm: `${from}.output.LayerNorm` };
}
