import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply } from 'fastify';
import {
  type AnswerDelta,
  type AnswerHead,
  type AnswerStream,
  type AnswerStreamOptions,
  type AnswerUsage,
  type ApiError,
  createAnswerStream,
  SSE_KEEP_ALIVE,
  sseError,
} from '#lib/openai';
import type { AnswerSink } from '../completion/answer-sink.js';
import { PacedWriter } from '../completion/paced-writer.js';
import type { RequestLife } from '../completion/request-life.js';
import { limitHeaders } from '../limits/limit-headers.js';
import { EventBody } from './event-body.js';
import type { SocketTurn } from './socket-turn.js';

/**
 * An answer as server-sent events, written straight to the socket. The status is sent with the first event or, when that
 * takes long, with the first keep-alive comment: until then a failure still gets a status of its own.
 */
export class SseReply implements AnswerSink {
  private readonly body: EventBody;
  private readonly writer: PacedWriter<string>;
  private stream: AnswerStream | undefined;
  private keepAlive: NodeJS.Timeout | undefined;
  private isOpen = false;
  /** Comments that wait for the first event. */
  private comments = '';

  constructor(
    private readonly reply: FastifyReply,
    private readonly life: Pick<RequestLife, 'signal' | 'limits'>,
    private readonly keepAliveMs: number,
    turn: SocketTurn,
  ) {
    this.body = new EventBody(reply.raw, turn);
    this.writer = new PacedWriter(this.body, life.signal);
  }

  /** Whether the status is spent. */
  get hasBegun(): boolean {
    return this.isOpen;
  }

  begin(head: AnswerHead, options: AnswerStreamOptions): void {
    this.stream = createAnswerStream(head, options);
    this.keepAlive = setInterval(() => {
      if (!this.writer.isBlocked) void this.write(SSE_KEEP_ALIVE);
    }, this.keepAliveMs);
  }

  /** Sent before the next event, so that the status is not spent on it. @param text  one line */
  comment(text: string): void {
    this.comments += `: ${text}\n\n`;
  }

  deltas(deltas: readonly AnswerDelta[]): Promise<void> | undefined {
    let events = '';
    for (const delta of deltas) events += this.stream?.delta(delta) ?? '';
    if (events === '') return undefined;
    this.keepAlive?.refresh();
    events = this.comments + events;
    this.comments = '';
    return this.write(events);
  }

  end(usage: AnswerUsage): void {
    this.finish(this.stream?.end(usage) ?? '');
  }

  /** The last event of a stream that broke off; no `[DONE]` follows. */
  fail(error: ApiError): void {
    this.finish(sseError(error));
  }

  /** Frees what it holds; nothing is written. */
  close(): void {
    clearInterval(this.keepAlive);
  }

  private write(events: string): Promise<void> | undefined {
    this.open();
    return this.writer.write(events);
  }

  private finish(events: string): void {
    this.close();
    this.open();
    this.body.end(events);
  }

  private open(): void {
    if (this.isOpen) return;
    this.isOpen = true;
    this.reply.hijack();
    this.body.begin({
      ...(this.reply.getHeaders() as OutgoingHttpHeaders), // the request id, CORS
      ...limitHeaders(this.life.limits),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
  }
}
