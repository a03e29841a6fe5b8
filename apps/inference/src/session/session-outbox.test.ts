import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failed, FinishReason, type FrameEntry, type SessionResponse } from '#lib/contracts';
import { SessionOutbox } from './session-outbox.js';

/** A socket that takes `room` messages and then says it is full. */
class Socket {
  readonly written: NonNullable<SessionResponse['message']>[] = [];
  room = Infinity;
  private listener: (() => void) | undefined;

  write({ message }: SessionResponse): boolean {
    this.written.push(message!);
    this.room--;
    return this.room > 0;
  }

  once(_event: 'drain', listener: () => void): void {
    this.listener = listener;
  }

  drain(room = Infinity): void {
    this.room = room;
    const { listener } = this;
    this.listener = undefined;
    listener?.();
  }

  tokensOf(generationId: string): number[] {
    return this.written.flatMap((message) =>
      message.$case === 'frame'
        ? message.value.entries
            .filter((entry) => entry.generationId === generationId)
            .flatMap((entry) => entry.tokenIds)
        : [],
    );
  }
}

const entryOf = (generationId: string, tokenId: number): FrameEntry => ({
  generationId,
  sequenceIndex: 0,
  tokenIds: [tokenId],
  text: `<${tokenId}>`,
  logprobs: [],
  finishReason: FinishReason.UNSPECIFIED,
  stopMatch: '',
  promptLogprobs: [],
  textEnds: [],
});
const endOf = (generationId: string) => ({ $case: 'finished', value: { generationId, usage: undefined } }) as const;
const fail = () => {
  throw new Error('overflow');
};

describe('SessionOutbox', () => {
  it('given ends that wait for a full socket, when a goodbye waits for them, then it is said after the last', () => {
    const socket = new Socket();
    const outbox = new SessionOutbox(socket, () => {});
    const said: number[] = [];
    outbox.onceEmpty(() => said.push(socket.written.length));
    expect(said).toEqual([0]);
    socket.room = 1;
    outbox.end(endOf('a')); // taken, and the socket is full
    outbox.end(endOf('b'));
    outbox.end(endOf('c'));
    outbox.onceEmpty(() => said.push(socket.written.length));
    socket.drain(1); // room for one
    expect(said).toEqual([0]);
    socket.drain();
    expect(said).toEqual([0, 3]);
  });

  it('given a socket that takes all, when steps come, then each is one frame at once', () => {
    const socket = new Socket();
    const outbox = new SessionOutbox(socket, fail);
    outbox.frame(1, [entryOf('a', 1), entryOf('b', 1)]);
    outbox.frame(2, [entryOf('a', 2)]);
    outbox.end(endOf('a'));
    expect(socket.written.map(({ $case }) => $case)).toEqual(['frame', 'frame', 'finished']);
  });

  it('given a full socket, when a thousand steps come, then one frame with one entry per sequence waits, and the ends after it', () => {
    const socket = new Socket();
    const outbox = new SessionOutbox(socket, fail);
    socket.room = 1;
    for (let step = 0; step < 1_000; step++) outbox.frame(step, [entryOf('a', step), entryOf('b', step)]);
    outbox.end(endOf('a'));
    expect(socket.written).toHaveLength(1);
    expect(outbox.holds('a')).toBe(true);
    socket.drain();
    expect(socket.written.map(({ $case }) => $case)).toEqual(['frame', 'frame', 'finished']);
    const merged = socket.written[1]!;
    expect(merged.$case === 'frame' && merged.value.entries).toHaveLength(2);
    expect(socket.tokensOf('a')).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
    expect(outbox.holds('a')).toBe(false);
  });

  it('given a gateway that takes ends in frames, when a step ends a generation, then both are one message', async () => {
    const socket = new Socket();
    const outbox = new SessionOutbox(socket, fail);
    outbox.takesEnded = true;
    outbox.frame(1, [entryOf('a', 1), entryOf('b', 1), entryOf('c', 1)]);
    outbox.end(endOf('a'));
    outbox.end(endOf('b'));
    outbox.end({ $case: 'failed', value: Failed.fromPartial({ generationId: 'c' }) });
    expect(socket.written.map(({ $case }) => $case)).toEqual(['frame', 'failed']);
    const [frame] = socket.written;
    const ended = frame?.$case === 'frame' ? frame.value.ended.map(({ generationId }) => generationId) : [];
    expect(ended).toEqual(['a', 'b']);
  });

  it('given a gateway that takes ends in frames, when none comes in the turn, then the frame leaves, and a later end by itself', async () => {
    const socket = new Socket();
    const outbox = new SessionOutbox(socket, fail);
    outbox.takesEnded = true;
    outbox.frame(1, [entryOf('a', 1)]);
    await Promise.resolve();
    expect(socket.written).toHaveLength(1);
    outbox.end(endOf('a'));
    expect(socket.written.map(({ $case }) => $case)).toEqual(['frame', 'finished']);
    outbox.frame(2, [entryOf('b', 1)]);
    outbox.onceEmpty(() => expect(socket.written).toHaveLength(3)); // a goodbye does not overtake it
    outbox.frame(3, [entryOf('b', 2)]);
    outbox.close();
    await Promise.resolve();
    expect(socket.written).toHaveLength(3);
  });

  it.each([false, true])(
    'given a socket that fills and drains at any time, and ends in frames: %s, then nothing is lost, doubled or out of order, and ends come last',
    (takesEnded) =>
      fc.assert(
        fc.property(fc.array(fc.nat(3), { maxLength: 60 }), (script) => {
          const socket = new Socket();
          const outbox = new SessionOutbox(socket, fail);
          outbox.takesEnded = takesEnded;
          socket.room = 2;
          script.forEach((action, step) => {
            if (action === 3) socket.drain(1 + (step % 3));
            else outbox.frame(step, [entryOf('a', step)]);
          });
          outbox.end(endOf('a'));
          const isEnded = (message = socket.written.at(-1)) =>
            message?.$case === 'finished' || (message?.$case === 'frame' && message.value.ended.length === 1);
          outbox.onceEmpty(() => {});
          while (!isEnded()) socket.drain(1);
          const sent = script.flatMap((action, step) => (action === 3 ? [] : [step]));
          expect(socket.tokensOf('a')).toEqual(sent);
        }),
      ),
  );

  it('given a gateway that never reads and keeps submitting, when too many ends wait, then the session is given up', () => {
    const socket = new Socket();
    let overflows = 0;
    const outbox = new SessionOutbox(socket, () => overflows++);
    socket.room = 1;
    for (let i = 0; i < 4_097 && overflows === 0; i++) outbox.end(endOf(`generation-${i}`));
    expect(overflows).toBe(0);
    outbox.end(endOf('one-more'));
    expect(overflows).toBe(1);
  });
});
