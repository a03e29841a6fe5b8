import type { ClientDuplexStream } from '@grpc/grpc-js';
import { BackOff } from './back-off.js';
import { GrpcStatusError } from './grpc-status-error.js';

/** One attempt at the stream. */
export interface OpenedStream<Up, Down> {
  readonly call: ClientDuplexStream<Up, Down>;
  /** Closes its connection. */
  close(): void;
}

/** A stream that was lost, or that did not come about. */
export interface StreamLoss {
  readonly reason: string;
  /** When it is opened again, in milliseconds. */
  readonly retryMs: number;
  /** The other end had accepted it. */
  readonly wasAccepted: boolean;
  /** Worth a line in the log: one about another end that is not there is enough. */
  readonly isNews: boolean;
}

export interface LastingStreamParts<Up, Down> {
  /** On a connection of its own (`clientChannelOptions`): a new attempt does not wait in the back-off of the one before. */
  open(): OpenedStream<Up, Down>;
  /** It is open: what is to be sent first. */
  opened(): void;
  received(message: Down): void;
  lost(loss: StreamLoss): void;
}

/** A stream to another app that is to be there while it is wanted: opened again for ever when it is lost. */
export class LastingStream<Up, Down> {
  private readonly backOff = new BackOff();
  private call: ClientDuplexStream<Up, Down> | undefined;
  private hasRoom = true;
  private accepted = false;
  private hasComplained = false;
  private retryTimer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: LastingStreamParts<Up, Down>) {}

  get isOpen(): boolean {
    return this.call !== undefined;
  }

  /** The other end has said that it takes the stream. */
  get isAccepted(): boolean {
    return this.accepted;
  }

  /** Whether more may be sent: false while the other end does not read. */
  get isWritable(): boolean {
    return this.call !== undefined && this.hasRoom;
  }

  start(): void {
    if (this.call !== undefined) return;
    clearTimeout(this.retryTimer);
    const { call, close } = this.parts.open();
    this.call = call;
    this.hasRoom = true;
    let isOver = false;
    const over = (reason: string) => {
      if (isOver) return;
      isOver = true;
      close();
      this.lose(call, reason);
    };
    call.on('data', (message: Down) => this.parts.received(message));
    call.on('error', (error) => over(GrpcStatusError.from(error).message));
    call.on('end', () => over('it ended the stream'));
    this.parts.opened();
  }

  stop(): void {
    clearTimeout(this.retryTimer);
    const { call } = this;
    this.call = undefined;
    this.accepted = false;
    call?.end();
  }

  /** The other end takes it: the next loss is news, and is made up for soon. */
  accept(): void {
    this.backOff.reset();
    this.accepted = true;
  }

  send(message: Up): void {
    const { call } = this;
    if (call === undefined || call.write(message)) return;
    this.hasRoom = false;
    call.once('drain', () => {
      if (this.call === call) this.hasRoom = true;
    });
  }

  private lose(call: ClientDuplexStream<Up, Down>, reason: string): void {
    if (this.call !== call) return;
    this.call = undefined;
    const retryMs = this.backOff.nextMs();
    const wasAccepted = this.accepted;
    const isNews = wasAccepted || !this.hasComplained;
    this.accepted = false;
    this.hasComplained = true;
    this.retryTimer = setTimeout(() => this.start(), retryMs);
    this.parts.lost({ reason, retryMs: Math.round(retryMs), wasAccepted, isNews });
  }
}
