import type { ModelConfig } from '#lib/models';
import type { CheckpointTensors } from '../checkpoint-tensors.js';
import type { DecoderBlocks } from '../decoder-blocks.js';
import type { EncoderBlocks } from '../encoder-blocks.js';
import type { GraphBuilder, Value } from '../graph-builder.js';

/** What an architecture builds its decoder from: `input_ids` to `logits`, KV through `blocks.attention`. */
export interface ArchitectureInput {
  readonly config: ModelConfig;
  readonly graph: GraphBuilder;
  readonly tensors: CheckpointTensors;
  readonly blocks: DecoderBlocks;
  /** Its tables, [contextTokens, headDim / 2] each; to be called once, when the shapes are known to be those of the checkpoint. */
  readonly rope: () => { readonly cos: Value; readonly sin: Value };
}

/** What an architecture builds its encoder from: `input_ids` and `attention_mask` to `vectors`. */
export type EncoderInput = Omit<ArchitectureInput, 'rope' | 'blocks'> & { readonly blocks: EncoderBlocks };

/** How an architecture becomes a graph: one that generates, or one that makes vectors. */
export type BuildArchitecture =
  | { readonly task: 'generate'; readonly build: (input: ArchitectureInput) => Promise<void> }
  | { readonly task: 'embed'; readonly build: (input: EncoderInput) => Promise<void> };

/** The architecture is known, but not what this model makes of it. */
export class UnsupportedVariantError extends Error {
  override readonly name = 'UnsupportedVariantError';
  constructor(architecture: string, reason: string) {
    super(`This ${architecture} model cannot be compiled: ${reason}.`);
  }
}
