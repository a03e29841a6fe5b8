/** How rotary frequencies are stretched for long contexts. */
export type RopeScaling =
  | {
      /** By wavelength, as Llama 3.1 does. */
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalContextTokens: number;
    }
  | {
      /** By how often a pair of dimensions turns over the context of before: seldom is stretched, often is kept. */
      readonly type: 'yarn';
      readonly factor: number;
      readonly originalContextTokens: number;
      /** Turns over the original context from which on a pair is kept, and up to which it is stretched whole. */
      readonly betaFast: number;
      readonly betaSlow: number;
      /** Whether the bounds between them are rounded to whole pairs, outwards. */
      readonly truncate: boolean;
      /** What cosines and sines are multiplied with. */
      readonly attentionFactor: number;
    }
  | { /** Positions are divided by the factor. */ readonly type: 'linear'; readonly factor: number }
  | {
      /** GGUF files carry Llama 3's scaling worked out: inverse frequency i is divided by factors[i], [headDim / 2]. */
      readonly type: 'frequency-factors';
      readonly factors: readonly number[];
    };

/** How an encoder's last hidden states become one vector: their mean, the first, or the largest of each element. */
export const POOLINGS = ['mean', 'cls', 'max'] as const;
export type Pooling = (typeof POOLINGS)[number];

/** What an encoder is beside its layers. */
export interface EncoderShape {
  readonly layerNormEps: number;
  /** `absolute` when positions are embeddings that are added, otherwise the hub's word. */
  readonly positionEmbedding: string;
  /** RoBERTa's kin: positions are counted from behind this id, over the tokens that are not it. Others count from 0. */
  readonly positionPadTokenId?: number;
  /** As sentence-transformers' pooling module says, `mean` where there is none. */
  readonly pooling: Pooling;
  /** Whether vectors are scaled to length 1, as sentence-transformers' `modules.json` says; true where there is none. */
  readonly isNormalized: boolean;
}

/** The shape of a decoder or an encoder, the same whether it came from config.json or from GGUF metadata. */
export interface ModelConfig {
  /** The hub's `model_type`: `llama`, `mistral`, `qwen2`, ... */
  readonly architecture: string;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly attentionHeads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Rows of the embedding, which may be more than the tokenizer has ids. */
  readonly vocabularySize: number;
  /** Most positions the model was made for. */
  readonly contextTokens: number;
  readonly rmsNormEps: number;
  /** `silu` for the llama family, `gelu` for BERT's. */
  readonly hiddenActivation: string;
  readonly rope: { readonly theta: number; readonly scaling?: RopeScaling };
  /** Whether the output layer is the embedding. */
  readonly tiedEmbeddings: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly bosTokenId?: number;
  /** Ids that end a generation, ascending. */
  readonly eosTokenIds: readonly number[];
  /** What encoders have and decoders have not. */
  readonly encoder?: EncoderShape;
  /** Positions a token may look back; `undefined` is all. */
  readonly slidingWindow?: number;
}
