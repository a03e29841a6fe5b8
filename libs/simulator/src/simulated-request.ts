import type { KvReservation } from './simulated-cache.js';
import type { TraceRequest } from './trace.js';

/** One request on its way through the simulation. Times in seconds; NaN until they have come. */
export class SimulatedRequest {
  workerIndex = -1;
  dispatchedS = Number.NaN;
  firstTokenS = Number.NaN;
  finishedS = Number.NaN;
  /** As in `Binding`. */
  earlierUses: readonly number[] = [];
  /** Leading blocks found in the worker's cache when it first scheduled the request. */
  hitBlocks = 0;
  hitTokens = 0;
  /** Prompt tokens whose KV exists, the hit ones included. */
  computedTokens = 0;
  reservation: KvReservation | undefined;

  constructor(
    /** In order of arrival, from 0. */
    readonly index: number,
    readonly trace: TraceRequest,
  ) {}

  get generationId(): string {
    return `g${this.index}`;
  }

  get remainingPrefillTokens(): number {
    return this.trace.promptTokens - this.computedTokens;
  }
}
