import {
  FailureCode,
  type FrameEntry,
  type GenerationRequest,
  type GenerationUsage,
  type ServedModel,
} from '#lib/contracts';
import {
  type AdapterOutcome,
  type AdapterToLoad,
  adapterRefused,
  type EngineAdapter,
} from './adapters/engine-adapter.js';
import type { EngineTimeline } from './engine-timeline.js';
import type { BlockForm } from './prefix/block-memory.js';
import type { PrefixChange } from './prefix/prefix-change.js';
import type { StoredBlock, WantedBlocks } from './prefix/stored-block.js';

/**
 * Generates tokens for many generations at once: the port between a worker process and whatever computes.
 *
 * - Calls never block: `submit`, `cancel` and `credit` take effect between two steps.
 * - Every accepted generation ends in exactly one `finished` or `failed` event; after it nothing is said of it.
 * - `cancel` ends it with `finished` (its open sequences have finish reason CANCELLED) before the next step but one.
 * - A sequence without credit keeps its place and its KV and pauses; others go on.
 * - What one step gave to all sequences comes as one `step` event.
 */
export abstract class Engine {
  /**
   * Loads the model. Rejects with a sentence for people when it cannot. Again after `engine-lost`, when an EngineStuckError
   * says that no further try in this process can help.
   */
  abstract start(signal: AbortSignal): Promise<void>;
  /** What it serves. Constant after `start`, but for adapters. */
  abstract describe(): EngineDescription;
  /** An engine in another thread accepts at once and refuses with a `failed` event. */
  abstract submit(request: GenerationRequest): SubmitOutcome;
  /** Unknown ids are ignored. */
  abstract cancel(generationId: string, reason: string): void;
  /** Allows `tokens` more per sequence. Unknown ids are ignored. */
  abstract credit(generationId: string, tokens: number): void;
  /** Ends what was accepted and has not begun with a retryable DRAINING failure, so that it can begin elsewhere. What runs goes on. */
  abstract handBack(): void;
  /**
   * Turns inputs into vectors; calls that meet share batches. Engines of models whose tasks do not include `embed` refuse.
   * Rejects with the signal's reason when it aborts: what is not computed yet is then left out.
   */
  embed(request: EmbeddingRequest, _signal: AbortSignal): Promise<EmbeddingOutcome> {
    const message = `The model ${request.modelId} generates text and makes no embeddings.`;
    return Promise.resolve({ kind: 'refused', code: FailureCode.INVALID_REQUEST, message, parameter: 'model' });
  }
  /** Loads a LoRA adapter, or another version of one, beside what runs; one that is loaded already is left as it is. */
  loadAdapter(_adapter: AdapterToLoad): Promise<AdapterOutcome> {
    return Promise.resolve(adapterRefused('unsupported', 'This engine takes no adapters.'));
  }
  /** New generations do not get it from now on; waits up to `timeoutMs` for those that use it. */
  unloadAdapter(adapterId: string, _timeoutMs: number): Promise<AdapterOutcome> {
    return Promise.resolve(adapterRefused('unknown', `No adapter "${adapterId}" is loaded.`));
  }
  /** The adapters that generations may ask for. None after a start. */
  adapters(): readonly EngineAdapter[] {
    return [];
  }
  /** How many leading blocks of a run its prefix store holds. Hashes are 32 hexadecimal digits, in all calls. */
  heldBlocks(_hashes: readonly string[]): Promise<number> {
    return Promise.resolve(0);
  }
  /** Blocks of its prefix store, up to the first that is not held. All of them are copied at once: the caller asks for a few at a time. */
  readBlocks(_hashes: readonly string[]): Promise<readonly StoredBlock[]> {
    return Promise.resolve([]);
  }
  /**
   * Puts blocks of a generation's prompt, which somebody else has computed and the caller has checked, into its prefix store; a few
   * at a time. Only while the generation waits for them (`blocks-wanted`).
   * @param firstBlock  number of the first in the prompt
   * @returns leading blocks of the prompt that are held now: fewer than were given up to now when there is no use in giving more
   */
  giveBlocks(_generationId: string, _firstBlock: number, _data: readonly Uint8Array<ArrayBuffer>[]): Promise<number> {
    return Promise.resolve(0);
  }
  /** Nothing more is given to a generation that waits for blocks: it computes what it lacks. Unknown ids are ignored. */
  endBlocks(_generationId: string): void {}
  /** The one listener; set before the first `submit`. It must not throw. */
  abstract onEvent(listener: (event: EngineEvent) => void): void;
  /** A snapshot that costs nothing to take. */
  abstract state(): EngineState;
  /**
   * Ends everything that still runs with a retryable failure and frees what it holds. Idempotent. Rejects with an
   * EngineStuckError when that is not possible.
   */
  abstract stop(): Promise<void>;
}

/** What an engine knows of its model; what is recommended for it is the worker's to say. */
export type EngineModel = Omit<ServedModel, 'samplingDefaults' | 'kvLayout'>;

export interface EngineDescription {
  /** `onnx`, `mock`, … */
  readonly engine: string;
  /** Whether it takes adapters, and how many at once; 0 or absent when it takes none. */
  readonly mostAdapters?: number | undefined;
  readonly model: EngineModel;
  /** What it gives and takes of its prefix store; absent when it does neither. */
  readonly blocks?: DescribedBlocks | undefined;
  /** Files that turn text into ids and back: `tokenizer.json`, `chat_template.jinja`, … by name. */
  readonly textFiles: ReadonlyMap<string, Uint8Array>;
}

export interface DescribedBlocks extends BlockForm {
  /** As in `KvLayout`. */
  readonly kernels: string;
}

export type SubmitOutcome = { readonly kind: 'accepted' } | EngineRefusal;

/** Why a generation was not taken; nothing was started. */
export interface EngineRefusal {
  readonly kind: 'refused';
  readonly code: FailureCode;
  /** For people. */
  readonly message: string;
  /** The parameter at fault, in the public API's spelling. */
  readonly parameter?: string;
  /** Hint before a retry, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** Inputs to be turned into vectors; plain data, so that it crosses into the engine's thread. */
export interface EmbeddingRequest {
  readonly modelId: string;
  /** Token ids of each input, special tokens included. */
  readonly inputs: readonly (readonly number[])[];
}

export type EmbeddingOutcome =
  | {
      readonly kind: 'embedded';
      /** Row-major [inputs, dimensions], each row of length 1. */
      readonly vectors: Float32Array;
      readonly dimensions: number;
      readonly usage: GenerationUsage;
    }
  | EngineRefusal;

export type EngineEvent =
  /** Cancelled sequences come apart, under the number of the step before. */
  | { readonly kind: 'step'; readonly step: number; readonly entries: readonly FrameEntry[] }
  | {
      readonly kind: 'finished';
      readonly generationId: string;
      readonly usage: GenerationUsage;
      /** Absent when the engine does not know. */
      readonly timeline?: EngineTimeline;
    }
  | {
      readonly kind: 'failed';
      readonly generationId: string;
      readonly code: FailureCode;
      readonly retryable: boolean;
      readonly message: string;
      /** The parameter at fault, in the public API's spelling. */
      readonly parameter?: string;
      /** Hint before a retry, in milliseconds. */
      readonly retryAfterMs?: number;
      /** Absent when the engine does not know, or the generation never was in it. */
      readonly timeline?: EngineTimeline;
    }
  /** What its prefix store holds has changed. An engine that is started holds nothing, whatever was told before. */
  | { readonly kind: 'prefix'; readonly change: PrefixChange }
  /** Generations may ask for these adapters from now on. */
  | { readonly kind: 'adapters'; readonly adapters: readonly EngineAdapter[] }
  /** It lacks blocks of a generation's prompt for which the request names sources, and begins it after `endBlocks` only. */
  | { readonly kind: 'blocks-wanted'; readonly generationId: string; readonly wanted: WantedBlocks }
  /** The engine itself broke; every generation has had its `failed` event. It can be started again. */
  | { readonly kind: 'engine-lost'; readonly message: string };

export interface EngineState {
  readonly runningGenerations: number;
  readonly waitingGenerations: number;
  /** Prompt tokens accepted and not yet computed. */
  readonly pendingPrefillTokens: number;
  /** KV that sequences have. */
  readonly kvUsedBytes: number;
  /** KV of prefixes that are kept for later: of what no sequence has, and any sequence that needs it gets it. */
  readonly kvCachedBytes: number;
  readonly kvTotalBytes: number;
  /** Totals since start. */
  readonly steps: number;
  readonly generatedTokens: number;
  readonly computedPromptTokens: number;
  readonly cachedPromptTokens: number;
  readonly queriedPromptTokens: number;
  /** Blocks of prefixes that went to make room. */
  readonly evictedPrefixBlocks: number;
  /** How often a running sequence lost its slot for lack of memory, to be computed again later. */
  readonly preemptions: number;
  /** Sum of step durations since start, in microseconds. */
  readonly stepUs: number;
  /** How much of it the model's passes took; the rest is planning, choosing tokens, making text. */
  readonly modelUs: number;
  /** Whether a step is being computed now. */
  readonly isStepping: boolean;
}
