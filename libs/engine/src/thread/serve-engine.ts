import type { Engine, EngineEvent } from '../engine.js';
import { isRetryable } from '../retryable.js';
import type { EngineThreadInput } from './input.js';
import type { EngineThreadOutput, ThreadAnswer } from './output.js';
import { toThreadEvent } from './thread-event.js';

/** The thread's end of the channel: `parentPort` of node:worker_threads. */
export interface EnginePort {
  postMessage(output: EngineThreadOutput, transferList?: readonly ArrayBuffer[]): void;
  on(event: 'message', listener: (input: EngineThreadInput) => void): unknown;
  close(): void;
}

/**
 * Runs an engine in this thread for the `EngineThread` that started it. An engine that is lost ends the thread: its host
 * starts a new one.
 */
export function serveEngine(engine: Engine, port: EnginePort): void {
  const abort = new AbortController();
  const embeddings = new Map<number, AbortController>();
  let pending: EngineEvent[] = [];
  let isFlushing = false;

  /** What happens in one turn crosses as one message. */
  const flush = () => {
    isFlushing = false;
    const events = pending.map(toThreadEvent);
    pending = [];
    port.postMessage({ kind: 'events', events, state: engine.state() });
  };
  const flushSoon = () => {
    if (isFlushing) return;
    isFlushing = true;
    queueMicrotask(flush);
  };

  engine.onEvent((event) => {
    pending.push(event);
    flushSoon();
    if (event.kind === 'engine-lost') queueMicrotask(() => port.close());
  });

  const answer = (callId: number, answer: ThreadAnswer) => {
    const moved = Array.isArray(answer) ? answer.map(({ data }) => data.buffer) : [];
    port.postMessage({ kind: 'answered', callId, answer }, moved);
  };

  port.on('message', (input) => {
    switch (input.kind) {
      case 'start':
        engine.start(abort.signal).then(
          () => port.postMessage({ kind: 'started', description: engine.describe(), state: engine.state() }),
          (error: unknown) => {
            port.postMessage({ kind: 'start-failed', message: error instanceof Error ? error.message : String(error) });
            port.close();
          },
        );
        return;
      case 'submit': {
        const { generationId } = input.request;
        const outcome = engine.submit(input.request);
        if (outcome.kind === 'refused') {
          const { code, message, parameter, retryAfterMs } = outcome;
          pending.push({
            kind: 'failed',
            generationId,
            code,
            retryable: isRetryable(code),
            message,
            parameter,
            retryAfterMs,
          });
        }
        flushSoon();
        return;
      }
      case 'cancel':
        engine.cancel(input.generationId, input.reason);
        return;
      case 'credit':
        engine.credit(input.generationId, input.tokens);
        return;
      case 'hand-back':
        engine.handBack();
        return;
      case 'ask':
        flushSoon();
        return;
      case 'embed': {
        const { callId, request } = input;
        const call = new AbortController();
        embeddings.set(callId, call);
        void engine
          .embed(request, call.signal)
          .catch(() => undefined) // only a cancellation rejects, and its caller has gone
          .then((outcome) => {
            embeddings.delete(callId);
            port.postMessage({ kind: 'embedded', callId, outcome, state: engine.state() });
          });
        return;
      }
      case 'cancel-embed':
        embeddings.get(input.callId)?.abort(new Error('the embedding was cancelled'));
        return;
      case 'held-blocks':
        void engine.heldBlocks(input.hashes).then((held) => answer(input.callId, held));
        return;
      case 'read-blocks':
        void engine.readBlocks(input.hashes).then((blocks) => answer(input.callId, blocks));
        return;
      case 'give-blocks': {
        const { callId, generationId, firstBlock, data } = input;
        void engine.giveBlocks(generationId, firstBlock, data).then((held) => answer(callId, held));
        return;
      }
      case 'load-adapter':
        void engine.loadAdapter(input.adapter).then((outcome) => answer(input.callId, outcome));
        return;
      case 'unload-adapter':
        void engine.unloadAdapter(input.adapterId, input.timeoutMs).then((outcome) => answer(input.callId, outcome));
        return;
      case 'end-blocks':
        engine.endBlocks(input.generationId);
        return;
      case 'stop':
        abort.abort(new Error('the engine is being stopped'));
        void engine.stop().finally(() => {
          if (pending.length > 0) flush();
          port.postMessage({ kind: 'stopped' });
          port.close();
        });
        return;
      default:
        input satisfies never;
    }
  });
}
