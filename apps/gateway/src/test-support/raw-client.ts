import { connect, type Socket } from 'node:net';
import { Signal } from './signal.js';

/** A client that sends bytes as it is told, good or bad, and keeps what comes back. */
export class RawClient {
  /** All that came back so far. */
  text = '';
  private isClosed = false;
  private readonly changed = new Signal();
  private readonly socket: Socket;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (data) => {
      this.text += data;
      this.changed.fire();
    });
    this.socket.on('error', () => {}); // the reset of a server that does not want the rest
    this.socket.on('end', () => this.socket.end());
    this.socket.on('close', () => {
      this.isClosed = true;
      this.changed.fire();
    });
  }

  send(bytes: string): void {
    this.socket.write(bytes, 'latin1');
  }

  /** Nothing more will be sent; it goes on reading. */
  halfClose(): void {
    this.socket.end();
  }

  get hasClosed(): boolean {
    return this.isClosed;
  }

  /** Resolves when what came back has it. */
  has(part: string): Promise<void> {
    return this.changed.until(() => this.text.includes(part));
  }

  /** Resolves when the server has closed the connection, with all that came back. */
  async closed(): Promise<string> {
    await this.changed.until(() => this.isClosed);
    return this.text;
  }
}
