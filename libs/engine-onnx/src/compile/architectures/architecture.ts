import type { ModelConfig } from '#lib/models';
import type { CheckpointTensors } from '../checkpoint-tensors.js';
import type { DecoderBlocks } from '../decoder-blocks.js';
import type { GraphBuilder, Value } from '../graph-builder.js';

/** What an architecture builds its decoder from: `input_ids` to `logits`, KV through `blocks.attention`. */
export interface ArchitectureInput {
  readonly config: ModelConfig;
  readonly graph: GraphBuilder;
  readonly tensors: CheckpointTensors;
  readonly blocks: DecoderBlocks;
  readonly rope: { readonly cos: Value; readonly sin: Value };
}

export type BuildArchitecture = (input: ArchitectureInput) => Promise<void>;

/** The architecture is known, but not what this model makes of it. */
export class UnsupportedVariantError extends Error {
  override readonly name = 'UnsupportedVariantError';
  constructor(architecture: string, reason: string) {
    super(`This ${architecture} model cannot be compiled: ${reason}.`);
  }
}
