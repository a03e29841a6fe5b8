import type { GenerationRequest, SessionRequest } from '#lib/contracts';

/** Generations that may wait to be written to a worker that reads slowly. */
const MAX_WAITING_SUBMITS = 1_024;

/** The part of a gRPC call that the outbox needs. */
export interface SessionWriter {
  write(message: SessionRequest): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

/**
 * What is to be sent to one worker. Messages of one tick leave together; while the worker does not read, cancels and
 * credits are merged per generation and submits wait up to a bound, so memory is bounded by the open generations.
 */
export class SessionOutbox {
  /** Not a map: its tables would keep requests that have left (see TransientMap), and it is seldom searched. */
  private submits: GenerationRequest[] = [];
  private readonly cancels = new Map<string, string>();
  private readonly credits = new Map<string, number>();
  private isScheduled = false;
  private isBlocked = false;
  private isClosed = false;

  constructor(private readonly writer: SessionWriter) {}

  /** @returns false when too many wait already */
  submit(request: GenerationRequest): boolean {
    if (this.submits.length >= MAX_WAITING_SUBMITS) return false;
    this.submits.push(request);
    this.schedule();
    return true;
  }

  /** @returns false when the generation had not been sent and now never will be */
  cancel(generationId: string, reason: string): boolean {
    this.credits.delete(generationId);
    const waiting = this.submits.findIndex((request) => request.generationId === generationId);
    if (waiting !== -1) {
      this.submits.splice(waiting, 1);
      return false;
    }
    this.cancels.set(generationId, reason);
    this.schedule();
    return true;
  }

  credit(generationId: string, tokens: number): void {
    this.credits.set(generationId, (this.credits.get(generationId) ?? 0) + tokens);
    this.schedule();
  }

  /** The generation has ended at the worker: nothing more needs to be said of it. */
  forget(generationId: string): void {
    this.credits.delete(generationId);
    this.cancels.delete(generationId);
  }

  close(): void {
    this.isClosed = true;
    this.submits = [];
    this.cancels.clear();
    this.credits.clear();
  }

  private schedule(): void {
    if (this.isScheduled || this.isBlocked || this.isClosed) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    for (const [generationId, reason] of this.cancels) {
      if (!this.canWrite()) return;
      this.cancels.delete(generationId);
      this.write({ message: { $case: 'cancel', value: { generationId, reason } } });
    }
    for (const [generationId, tokens] of this.credits) {
      if (!this.canWrite()) return;
      this.credits.delete(generationId);
      this.write({ message: { $case: 'credit', value: { generationId, tokens } } });
    }
    if (this.submits.length > 0) this.flushSubmits();
  }

  private flushSubmits(): void {
    const { submits } = this;
    let taken = 0;
    try {
      while (taken < submits.length && this.canWrite()) {
        this.write({ message: { $case: 'submit', value: submits[taken++]! } });
      }
    } finally {
      this.submits = submits.slice(taken); // what a writer failed with is not sent once more
    }
  }

  private canWrite(): boolean {
    return !this.isBlocked && !this.isClosed;
  }

  private write(message: SessionRequest): void {
    if (this.writer.write(message)) return;
    this.isBlocked = true;
    this.writer.once('drain', () => {
      this.isBlocked = false;
      this.flush();
    });
  }
}
