import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { PacedTarget } from '../completion/paced-writer.js';
import type { SocketTurn } from './socket-turn.js';

/**
 * The body of a stream, with its chunks framed here: Node frames a chunk as three further pieces, which it gathers for a `writev`,
 * and that costs an event of 200 bytes more than its making. In one piece it is one `write`. A client of HTTP/1.0 knows no
 * chunks: its body ends with the connection.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1
 */
export class EventBody implements PacedTarget<string> {
  private isChunked = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly turn: SocketTurn,
  ) {}

  /** Sets status and headers; they leave with the first events. */
  begin(headers: OutgoingHttpHeaders): void {
    const { response } = this;
    this.isChunked = response.req.httpVersion !== '1.0';
    response.writeHead(200, this.isChunked ? { ...headers, 'transfer-encoding': 'chunked' } : headers);
    response.chunkedEncoding = false; // it is announced, and done here
  }

  /** @param events  not empty, which would be the last chunk */
  write(events: string): boolean {
    this.turn.hold(this.response);
    return this.response.write(this.isChunked ? chunkOf(events) : events);
  }

  end(events: string): void {
    this.response.end(this.isChunked ? `${events === '' ? '' : chunkOf(events)}0\r\n\r\n` : events);
  }

  once(event: 'drain', listener: () => void): void {
    this.response.once(event, listener);
  }

  off(event: 'drain', listener: () => void): void {
    this.response.off(event, listener);
  }
}

function chunkOf(events: string): string {
  return `${Buffer.byteLength(events).toString(16)}\r\n${events}\r\n`;
}
