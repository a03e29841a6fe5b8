import type { PrefixHashes } from '#lib/kv';

/** What placement needs to know of a request. Output lengths are unknown here by design: only their bound is. */
export interface PlacementRequest {
  readonly generationId: string;
  readonly tenantId: string;
  readonly modelId: string;
  /** LoRA adapter; empty for the base model. */
  readonly adapterId: string;
  readonly promptTokens: number;
  /** Most tokens the request may generate, over all its sequences. */
  readonly maxOutputTokens: number;
  /** Sequences the request wants at once, at least 1. */
  readonly sequenceCount: number;
  readonly prefixHashes: PrefixHashes;
  /** What ties requests of one conversation or user together; empty for none. */
  readonly sessionKey: string;
  /** Larger is served earlier among waiting requests. */
  readonly priority: number;
  /** How often this generation was placed before. */
  readonly attempt: number;
  /** Workers that just refused or lost this generation; avoided while there is another. */
  readonly avoidWorkerIds: readonly string[];
  /** When the client stops caring for a first token, on the clock of `nowMs`; 0 for none. */
  readonly ttftDeadlineUnixMs: number;
  /** The decision comes with an explanation. */
  readonly explain: boolean;
}
