import type { ClientReadableStream } from '@grpc/grpc-js';
import { BackOff } from './back-off.js';
import { GrpcStatusError } from './grpc-status-error.js';

export interface WatchHandlers<Message> {
  onMessage(message: Message): void;
  /** The stream broke or ended; it is opened again after `retryInMs`. */
  onLost?(error: GrpcStatusError | undefined, retryInMs: number): void;
}

/** Follows a server stream for as long as it lives: opens it again with back-off whenever it ends. */
export class WatchStream<Message> {
  private readonly backOff = new BackOff();
  private stream: ClientReadableStream<Message> | undefined;
  private retry: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(
    private readonly open: () => ClientReadableStream<Message>,
    private readonly handlers: WatchHandlers<Message>,
  ) {
    this.connect();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.retry);
    this.stream?.cancel();
  }

  private connect(): void {
    let isOver = false;
    const over = (error?: unknown) => {
      if (isOver) return;
      isOver = true;
      if (this.isClosed) return;
      const retryInMs = this.backOff.nextMs();
      this.retry = setTimeout(() => this.connect(), retryInMs);
      this.handlers.onLost?.(error === undefined ? undefined : GrpcStatusError.from(error), retryInMs);
    };
    const stream = this.open();
    this.stream = stream;
    stream.on('data', (message: Message) => {
      this.backOff.reset();
      this.handlers.onMessage(message);
    });
    stream.on('error', over);
    stream.on('end', () => over());
  }
}
