import { adapterRefused } from '../adapters/engine-adapter.js';

const GONE = adapterRefused('unavailable', 'The engine does not run.');
/** What a call answers that the thread does not answer any more: blocks are not to be had then. */
const NOTHING = {
  'held-blocks': 0,
  'read-blocks': [],
  'give-blocks': 0,
  'load-adapter': GONE,
  'unload-adapter': GONE,
} as const;
export type ThreadCallKind = keyof typeof NOTHING;

/** The calls for blocks and adapters that an engine in another thread has not answered yet. Their callers bound how many there are. */
export class ThreadCalls {
  private readonly calls = new Map<number, { readonly kind: ThreadCallKind; resolve(answer: unknown): void }>();
  private lastCallId = 0;

  /** @param send  is given the number under which the call is to be answered */
  call<Answer>(kind: ThreadCallKind, send: (callId: number) => void): Promise<Answer> {
    const callId = ++this.lastCallId;
    return new Promise<Answer>((resolve) => {
      this.calls.set(callId, { kind, resolve: (answer) => resolve(answer as Answer) }); // as the engine's method of that name
      send(callId);
    });
  }

  settle(callId: number, answer: unknown): void {
    this.calls.get(callId)?.resolve(answer);
    this.calls.delete(callId);
  }

  endAll(): void {
    for (const [callId, { kind }] of [...this.calls]) this.settle(callId, NOTHING[kind]);
  }
}
