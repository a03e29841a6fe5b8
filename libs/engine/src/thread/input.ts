import type { GenerationRequest } from '#lib/contracts';
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
  /** Ends everything; answered by a last `events` and `stopped`. */
  | { readonly kind: 'stop' };
