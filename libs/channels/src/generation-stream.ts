import { FailureCode, type FrameEntry, type GenerationRequest, type GenerationUsage } from '#lib/contracts';

/** Why a generation was refused or broke off, as a worker says it, or the session when the worker is gone. */
export interface GenerationFailure {
  readonly code: FailureCode;
  /** Whether it may be placed again: the worker says so, and nothing of it was taken. */
  readonly isRetryable: boolean;
  /** For people. */
  readonly message: string;
  /** The parameter at fault, in the public API's spelling; empty when none is. */
  readonly parameter: string;
  /** Hint before a retry, in milliseconds; 0 for none. */
  readonly retryAfterMs: number;
}

export type GenerationEvent =
  /** All that came since the last time, in order. */
  | { readonly kind: 'entries'; readonly entries: readonly FrameEntry[] }
  /** Every sequence has ended. Nothing follows. */
  | { readonly kind: 'finished'; readonly usage: GenerationUsage | undefined }
  /** Nothing follows. */
  | { readonly kind: 'failed'; readonly failure: GenerationFailure };

/** What a generation asks of the session it runs on. */
export interface GenerationLink {
  grant(generationId: string, tokens: number): void;
  cancel(generationId: string, reason: string): void;
}

/**
 * One generation's way from the session to its one reader. The worker may be `initialCredit` tokens per sequence ahead of
 * what was taken; further credit is granted as the reader takes, half a window at a time. So a reader that stops costs at
 * most that much memory and pauses its own sequences only.
 */
export class GenerationStream {
  readonly generationId: string;
  private readonly windowTokens: number;
  /** Tokens per sequence: allowed, received, and taken by the reader. */
  private allowedTokens: number;
  private readonly receivedTokens = new Map<number, number>();
  private takenTokens = 0;
  private queued: FrameEntry[] = [];
  private terminal: GenerationEvent | undefined;
  private reader: ((event: GenerationEvent) => void) | undefined;
  private hasTaken = false;
  private isCancelled = false;

  constructor(
    request: GenerationRequest,
    private readonly link: GenerationLink,
  ) {
    this.generationId = request.generationId;
    this.windowTokens = Math.max(1, request.initialCredit);
    this.allowedTokens = this.windowTokens;
  }

  get isOver(): boolean {
    return this.terminal !== undefined;
  }

  /** Tokens received and not yet taken, over all sequences. */
  get bufferedTokens(): number {
    return this.queued.reduce((sum, entry) => sum + entry.tokenIds.length, 0);
  }

  /**
   * Calls `reader` once with what comes next, at once when it is there. One reader at a time. After the end it repeats the end.
   * Not a promise: one for each step would cost as much as the step's event.
   */
  next(reader: (event: GenerationEvent) => void): void {
    const event = this.take();
    if (event === undefined) this.reader = reader;
    else reader(event);
  }

  /** The worker ends it before its next step. What it had sent is dropped; the end still comes, with usage. */
  cancel(reason: string): void {
    if (this.isCancelled || this.isOver) return;
    this.isCancelled = true;
    this.queued = [];
    this.link.cancel(this.generationId, reason);
  }

  /** Called by the session. @returns whether the worker kept to its credit */
  receive(entry: FrameEntry): boolean {
    if (this.isCancelled || this.isOver) return true;
    const received = (this.receivedTokens.get(entry.sequenceIndex) ?? 0) + entry.tokenIds.length;
    this.receivedTokens.set(entry.sequenceIndex, received);
    this.queued.push(entry);
    // A step may bring several tokens at once: a worker is allowed to overshoot, by another window at the most.
    return received <= this.allowedTokens + this.windowTokens;
  }

  /** Called by the session when a frame was handed out: calls the reader once for all its entries. */
  deliver(): void {
    const { reader } = this;
    if (reader === undefined) return;
    const event = this.take();
    if (event === undefined) return;
    this.reader = undefined;
    reader(event);
  }

  /** Called by the session, once. */
  finish(usage: GenerationUsage | undefined): void {
    this.end({ kind: 'finished', usage });
  }

  /** Called by the session, once. What nobody has taken yet is dropped when that makes it retryable. */
  fail(failure: GenerationFailure): void {
    const isRetryable = failure.isRetryable && !this.hasTaken;
    if (isRetryable) this.queued = [];
    this.end({ kind: 'failed', failure: { ...failure, isRetryable } });
  }

  private end(event: GenerationEvent): void {
    if (this.terminal !== undefined) return;
    this.terminal = event;
    this.deliver();
  }

  private take(): GenerationEvent | undefined {
    if (this.queued.length === 0) return this.terminal;
    const entries = this.queued;
    this.queued = [];
    this.hasTaken = true;
    this.grantFor(entries);
    return { kind: 'entries', entries };
  }

  private readonly takenBySequence = new Map<number, number>();

  private grantFor(entries: readonly FrameEntry[]): void {
    for (const { sequenceIndex, tokenIds } of entries) {
      const taken = (this.takenBySequence.get(sequenceIndex) ?? 0) + tokenIds.length;
      this.takenBySequence.set(sequenceIndex, taken);
      this.takenTokens = Math.max(this.takenTokens, taken);
    }
    const tokens = this.takenTokens + this.windowTokens - this.allowedTokens;
    if (this.isOver || tokens * 2 < this.windowTokens) return;
    this.allowedTokens += tokens;
    this.link.grant(this.generationId, tokens);
  }
}

export function workerLost(message: string): GenerationFailure {
  return { code: FailureCode.WORKER_LOST, isRetryable: true, message, parameter: '', retryAfterMs: 0 };
}
