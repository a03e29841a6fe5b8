/** Form of the compiled weights. */
export type WeightsForm = 'fp32' | 'int8' | 'int4';

/** Raised whenever the same source would compile to something else; part of every key. */
export const COMPILER_REVISION = 1;
export const GRAPH_FILE = 'model.onnx';
export const MANIFEST_FILE = 'manifest.json';

/** `manifest.json`: what stands beside a compiled graph, for the runner and for registration. */
export interface CompiledModelManifest {
  readonly compilerRevision: number;
  readonly architecture: string;
  readonly weights: WeightsForm;
  /** `exact`: fp32 compute, equal tokens however a sequence is batched. `fast`: integer kernels. */
  readonly numerics: 'exact' | 'fast';
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabularySize: number;
  /** Most positions that the rotary tables cover. */
  readonly contextTokens: number;
  readonly eosTokenIds: readonly number[];
  /** SHA-256, hex, over source, form and compiler: equal means equal KV. */
  readonly fingerprint: string;
  /** Bytes of the weights file. */
  readonly weightsBytes: number;
}

/** A compiled model in the store. */
export interface CompiledModel {
  readonly folder: string;
  readonly graphPath: string;
  readonly manifest: CompiledModelManifest;
}
