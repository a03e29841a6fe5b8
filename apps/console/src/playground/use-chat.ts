import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiClient } from '../api/api-client.js';
import { chatEvents } from '../api/chat-events.js';
import { toProblem } from '../api/problem.js';
import { AnswerClock } from './answer-clock.js';
import type { ChatSettings } from './chat-settings.js';
import { type Answer, ask, askAgain, changeAnswer, isRunning, type Turn, toMessages } from './conversation.js';

/** Tokens may come a thousand a second; the page is drawn so often, in milliseconds. */
const DRAW_INTERVAL_MS = 40;

export interface Chat {
  readonly turns: readonly Turn[];
  readonly isRunning: boolean;
  send(text: string): void;
  retry(): void;
  /** Cancels the running answer down to the engine: the connection is closed, and the gateway tells the worker. */
  stop(): void;
  clear(): void;
}

/** One conversation; an answer at a time. It ends with the page. */
export function useChat(client: ApiClient, settings: ChatSettings): Chat {
  const [turns, setTurns] = useState<readonly Turn[]>([]);
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => running.current?.abort(), []);

  const start = (next: readonly Turn[]) => {
    const answer = next.at(-1);
    if (answer?.role !== 'assistant') return;
    const controller = new AbortController();
    running.current?.abort();
    running.current = controller;
    setTurns(next);
    const body = {
      model: settings.model,
      messages: toMessages(next, settings.systemPrompt),
      ...(settings.temperature === undefined ? {} : { temperature: settings.temperature }),
      ...(settings.maxTokens === undefined ? {} : { max_tokens: settings.maxTokens }),
      ...{ stream: true, stream_options: { include_usage: true }, return_token_ids: true },
    };
    const change = (change: Partial<Answer>) => setTurns((current) => changeAnswer(current, answer.id, change));
    void streamAnswer(client, body, controller.signal, change);
  };

  return {
    turns,
    isRunning: isRunning(turns),
    send: (text) => start(ask(turns, text, settings.model)),
    retry: () => start(askAgain(turns, settings.model)),
    stop: () => running.current?.abort(),
    clear: () => {
      running.current?.abort();
      setTurns([]);
    },
  };
}

/** Runs one answer to its end, whichever that is; never rejects. */
async function streamAnswer(
  client: ApiClient,
  body: object,
  signal: AbortSignal,
  change: (change: Partial<Answer>) => void,
): Promise<void> {
  const clock = new AnswerClock(performance.now());
  let text = '';
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  const draw = (state: Answer['state'], rest: Partial<Answer> = {}) =>
    change({ state, text, figures: clock.figures(), ...rest });
  try {
    const response = await client.send('/v1/chat/completions', { method: 'POST', body, signal });
    const bytes = response.body as ReadableStream<Uint8Array<ArrayBuffer>>; // an answer that is ok has one
    const pieces = bytes.pipeThrough(new TextDecoderStream());
    for await (const event of chatEvents(piecesOf(pieces))) {
      const nowMs = performance.now();
      clock.saw(event, nowMs);
      if (event.kind === 'text') text += event.text;
      if (nowMs - drawnAtMs < DRAW_INTERVAL_MS) continue;
      drawnAtMs = nowMs;
      draw('streaming');
    }
    draw('done');
  } catch (error) {
    if (signal.aborted) draw('stopped');
    else draw('failed', { problem: toProblem(error).facts });
  }
}

/** Not every browser iterates over streams. */
async function* piecesOf(stream: ReadableStream<string>): AsyncGenerator<string> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {}); // of a stream that broke there is nothing left to cancel
  }
}
