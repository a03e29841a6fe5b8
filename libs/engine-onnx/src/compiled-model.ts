import { z } from 'zod';

/** Form of the compiled weights, docs/compile.md. */
const WEIGHTS_FORMS = ['fp32', 'int8', 'int4', 'w8a8'] as const;
export type WeightsForm = (typeof WEIGHTS_FORMS)[number];

/** `exact`: equal tokens however a sequence is batched, cut or computed again; takes fp32 weights. See docs/numerics.md. */
export type Numerics = 'exact' | 'fast';

/** Raised whenever the same source would compile to something else; part of every key. */
export const COMPILER_REVISION = 9;
/** The graph; runtime/decoder-graph.ts and runtime/encoder-graph.ts have the tensors it takes and gives. */
export const GRAPH_FILE = 'model.onnx';
/** The same graph, to which adapters add; runtime/adapter-graph.ts has what it takes beside the other's. */
export const ADAPTER_GRAPH_FILE = 'adapters.onnx';
/** Both once more, for runs in which each sequence has one token: compile/decode-graph.ts. */
export const DECODE_GRAPH_FILE = 'decode.onnx';
export const DECODE_ADAPTER_GRAPH_FILE = 'decode-adapters.onnx';
/** The large initializers of the graphs. */
export const WEIGHTS_FILE = 'weights.bin';
export const MANIFEST_FILE = 'manifest.json';

/** How rows are multiplied by adapters: `row-by-row` each by the same kernel whatever runs beside it, which exact numerics ask for. */
const ADAPTER_PRODUCTS = ['together', 'row-by-row'] as const;
export type AdapterProducts = (typeof ADAPTER_PRODUCTS)[number];

/** A product of the graph to which adapters add: of some weights, their rows one after another. */
export interface AdapterSite {
  readonly name: string;
  readonly columns: number;
  readonly weights: readonly {
    /** As checkpoints call it: `model.layers.0.self_attn.q_proj`. */
    readonly module: string;
    readonly rows: number;
  }[];
}

/** `manifest.json`: what stands beside a compiled graph, for the runner and for registration. */
export interface CompiledModelManifest {
  readonly compilerRevision: number;
  /** The hub's `model_type`. */
  readonly architecture: string;
  /** Elements of an encoder's vectors; absent for a decoder. */
  readonly embeddingDimensions?: number;
  readonly weights: WeightsForm;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Type of the elements of KV. */
  readonly kvElement: 'float32';
  readonly vocabularySize: number;
  /** Most positions that the rotary tables cover. */
  readonly contextTokens: number;
  /** Ids that end a generation, ascending. */
  readonly eosTokenIds: readonly number[];
  /** SHA-256, hex, over the graph and its weights: equal means equal KV for equal tokens, on whatever machine it was compiled. */
  readonly fingerprint: string;
  readonly graphBytes: number;
  /** Absent where adapters cannot be added: in encoders, and in `w8a8`. */
  readonly adapters?: {
    readonly graphBytes: number;
    readonly products: AdapterProducts;
    readonly sites: readonly AdapterSite[];
  };
  /** Absent where no other form ever computes the prompts: in encoders, in `fp32`, and in what is for prompts. */
  readonly decode?: {
    readonly graphBytes: number;
    /** Absent where adapters cannot be added. */
    readonly adapterGraphBytes?: number;
  };
  readonly weightsBytes: number;
}

const count = z.number().int().nonnegative();
const adapterSite = z.object({
  name: z.string(),
  columns: count,
  weights: z.array(z.object({ module: z.string(), rows: count })),
});

export const manifestSchema: z.ZodType<CompiledModelManifest> = z.object({
  compilerRevision: z.literal(COMPILER_REVISION),
  architecture: z.string(),
  embeddingDimensions: count.positive().optional(),
  weights: z.enum(WEIGHTS_FORMS),
  layers: count,
  kvHeads: count,
  headDim: count,
  kvElement: z.literal('float32'),
  vocabularySize: count,
  contextTokens: count,
  eosTokenIds: z.array(count),
  fingerprint: z.string(),
  graphBytes: count,
  adapters: z.object({ graphBytes: count, products: z.enum(ADAPTER_PRODUCTS), sites: z.array(adapterSite) }).optional(),
  decode: z.object({ graphBytes: count, adapterGraphBytes: count.optional() }).optional(),
  weightsBytes: count,
});

/** A compiled model in the store. */
export interface CompiledModel {
  readonly folder: string;
  readonly graphPath: string;
  /** The graph that decodes where another model computes the prompts. */
  readonly decodeGraphPath: string | undefined;
  readonly manifest: CompiledModelManifest;
}
