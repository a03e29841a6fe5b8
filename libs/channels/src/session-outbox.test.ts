import { describe, expect, it } from 'vitest';
import { GenerationRequest, type SessionRequest } from '#lib/contracts';
import { SessionOutbox } from './session-outbox.js';

const request = (generationId: string) => GenerationRequest.fromPartial({ generationId });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Takes one message, then none until it is drained. */
class SlowWriter {
  readonly written: string[] = [];
  private listener = () => {};

  write({ message }: SessionRequest): boolean {
    if (message?.$case !== 'submit') throw new Error('only submits are expected');
    this.written.push(message.value.generationId);
    return false;
  }

  once(_event: 'drain', listener: () => void): void {
    this.listener = listener;
  }

  drain(): void {
    this.listener();
  }
}

describe('SessionOutbox', () => {
  it('given a worker that takes one message at a time, then submits leave in their order, each once, without those that were cancelled meanwhile', async () => {
    const writer = new SlowWriter();
    const outbox = new SessionOutbox(writer);
    for (const id of ['a', 'b', 'c', 'd']) expect(outbox.submit(request(id))).toBe(true);
    await turn();
    expect(writer.written).toEqual(['a']);
    expect(outbox.cancel('c', 'client-gone')).toBe(false);
    writer.drain();
    expect(outbox.submit(request('e'))).toBe(true);
    for (let i = 0; i < 4; i++) writer.drain();
    expect(writer.written).toEqual(['a', 'b', 'd', 'e']);
  });

  it('given too many submits that wait, then further ones are not taken until some have left', async () => {
    const writer = new SlowWriter();
    const outbox = new SessionOutbox(writer);
    outbox.submit(request('first'));
    await turn();
    let taken = 0;
    while (outbox.submit(request(`waiting-${taken}`))) taken++;
    expect(taken).toBe(1_024);
    writer.drain();
    expect(outbox.submit(request('later'))).toBe(true);
    expect(outbox.submit(request('too late'))).toBe(false);
  });

  it('given a session that ends, then nothing that waits is written', async () => {
    const writer = new SlowWriter();
    const outbox = new SessionOutbox(writer);
    for (const id of ['a', 'b']) outbox.submit(request(id));
    await turn();
    outbox.close();
    writer.drain();
    expect(writer.written).toEqual(['a']);
  });
});
