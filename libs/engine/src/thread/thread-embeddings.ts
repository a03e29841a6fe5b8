import { FailureCode } from '#lib/contracts';
import type { EmbeddingOutcome, EmbeddingRequest } from '../engine.js';
import { refused } from '../step-loop/refusal.js';
import type { EngineThreadInput } from './input.js';

interface Call {
  resolve(outcome: EmbeddingOutcome): void;
  leave(): void;
}

/** The calls for embeddings that an engine in another thread has not answered yet. The engine bounds how many it takes. */
export class ThreadEmbeddings {
  private readonly calls = new Map<number, Call>();
  private lastCallId = 0;

  constructor(private readonly send: (input: EngineThreadInput) => void) {}

  get size(): number {
    return this.calls.size;
  }

  call(request: EmbeddingRequest, signal: AbortSignal): Promise<EmbeddingOutcome> {
    const callId = ++this.lastCallId;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const abort = () => {
        this.calls.delete(callId);
        this.send({ kind: 'cancel-embed', callId });
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
      this.calls.set(callId, { resolve, leave: () => signal.removeEventListener('abort', abort) });
      this.send({ kind: 'embed', callId, request });
    });
  }

  /** @param outcome  absent when it was cancelled: nobody waits for it then */
  settle(callId: number, outcome: EmbeddingOutcome | undefined): void {
    const call = this.calls.get(callId);
    if (call === undefined || outcome === undefined) return;
    this.calls.delete(callId);
    call.leave();
    call.resolve(outcome);
  }

  failAll(message: string): void {
    for (const callId of [...this.calls.keys()]) this.settle(callId, refused(FailureCode.ENGINE_ERROR, message));
  }
}
