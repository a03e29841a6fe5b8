import type { ModelConfig } from '#lib/models';
import type { DecoderBlocks } from '../decoder-blocks.js';
import type { GraphBuilder, Value } from '../graph-builder.js';

/** What an architecture builds its decoder from: `input_ids` to `logits`, KV through `blocks.attention`. */
export interface ArchitectureInput {
  readonly config: ModelConfig;
  readonly graph: GraphBuilder;
  readonly blocks: DecoderBlocks;
  readonly rope: { readonly cos: Value; readonly sin: Value };
}

export type BuildArchitecture = (input: ArchitectureInput) => Promise<void>;
