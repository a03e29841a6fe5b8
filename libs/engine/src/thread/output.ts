import type { FrameEntry } from '#lib/contracts';
import type { AdapterOutcome } from '../adapters/engine-adapter.js';
import type { EmbeddingOutcome, EngineDescription, EngineEvent, EngineState } from '../engine.js';
import type { StoredBlock } from '../prefix/stored-block.js';

/** Engine thread to host. */
export type EngineThreadOutput =
  | { readonly kind: 'started'; readonly description: EngineDescription; readonly state: EngineState }
  | { readonly kind: 'start-failed'; readonly message: string }
  /** All that happened in one turn of the thread (a step and the ends it brought, as a rule), and the state after it. */
  | { readonly kind: 'events'; readonly events: readonly ThreadEvent[]; readonly state: EngineState }
  /** `outcome` is absent when it was cancelled. */
  | {
      readonly kind: 'embedded';
      readonly callId: number;
      readonly outcome: EmbeddingOutcome | undefined;
      readonly state: EngineState;
    }
  /** The memory of blocks comes with the message. */
  | { readonly kind: 'answered'; readonly callId: number; readonly answer: ThreadAnswer }
  | { readonly kind: 'stopped' };

export type ThreadAnswer = number | readonly StoredBlock[] | AdapterOutcome;

/** An engine event in the form that crosses the thread: entries without the fields that are empty in almost all. */
export type ThreadEvent =
  | Exclude<EngineEvent, { kind: 'step' }>
  | { readonly kind: 'step'; readonly step: number; readonly entries: readonly ThreadEntry[] };

export type ThreadEntry = Pick<FrameEntry, 'generationId' | 'sequenceIndex' | 'tokenIds' | 'text'> &
  Partial<Omit<FrameEntry, 'generationId' | 'sequenceIndex' | 'tokenIds' | 'text'>>;
