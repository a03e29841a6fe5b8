import type { ServerResponse } from 'node:http';

/**
 * Holds back what responses write until the end of a turn of the event loop: what one wrote in it leaves as one write to its socket.
 * Node does so by itself, but with a tick for each response and turn, a tenth of an event's CPU time.
 */
export class SocketTurn {
  private held: ServerResponse[] = [];

  hold(response: ServerResponse): void {
    if (response.writableCorked > 0) return;
    response.cork();
    if (this.held.length === 0) process.nextTick(() => this.release());
    this.held.push(response);
  }

  private release(): void {
    const { held } = this;
    this.held = [];
    for (const response of held) {
      if (response.writableCorked > 0) response.uncork(); // one that has ended did so itself
    }
  }
}
