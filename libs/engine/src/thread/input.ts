import type { GenerationRequest } from '#lib/contracts';
import type { AdapterToLoad } from '../adapters/engine-adapter.js';
import type { EmbeddingRequest } from '../engine.js';

/** Host to engine thread. */
export type EngineThreadInput =
  /** Answered by `started` or `start-failed`. */
  | { readonly kind: 'start' }
  | { readonly kind: 'submit'; readonly request: GenerationRequest }
  | { readonly kind: 'cancel'; readonly generationId: string; readonly reason: string }
  | { readonly kind: 'credit'; readonly generationId: string; readonly tokens: number }
  | { readonly kind: 'hand-back' }
  /** Answered by `events`, of which there may be none. */
  | { readonly kind: 'ask' }
  /** Answered by `embedded` with the same number, also after a cancellation. */
  | { readonly kind: 'embed'; readonly callId: number; readonly request: EmbeddingRequest }
  | { readonly kind: 'cancel-embed'; readonly callId: number }
  /** Answered by `answered` with the same number, as the engine's methods of these names. */
  | { readonly kind: 'held-blocks'; readonly callId: number; readonly hashes: readonly string[] }
  | { readonly kind: 'read-blocks'; readonly callId: number; readonly hashes: readonly string[] }
  | {
      readonly kind: 'give-blocks';
      readonly callId: number;
      readonly generationId: string;
      readonly firstBlock: number;
      /** Their memory comes with the message. */
      readonly data: readonly Uint8Array<ArrayBuffer>[];
    }
  | { readonly kind: 'load-adapter'; readonly callId: number; readonly adapter: AdapterToLoad }
  | {
      readonly kind: 'unload-adapter';
      readonly callId: number;
      readonly adapterId: string;
      readonly timeoutMs: number;
    }
  | { readonly kind: 'end-blocks'; readonly generationId: string }
  /** Ends everything; answered by a last `events` and `stopped`. */
  | { readonly kind: 'stop' };
