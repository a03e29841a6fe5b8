import { PassThrough } from 'node:stream';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LastingStream, type StreamLoss } from './lasting-stream.js';

/** One attempt, of which the test is the other end. */
class Attempt {
  /** What was sent to the other end. */
  readonly sent: string[] = [];
  /** Whether the other end reads. */
  reads = true;
  isClosed = false;
  readonly call = new PassThrough({ objectMode: true });

  constructor() {
    this.call.write = ((message: string) => {
      this.sent.push(message);
      return this.reads;
    }) as typeof this.call.write;
    vi.spyOn(this.call, 'end');
  }
}

const attempts: Attempt[] = [];
const losses: StreamLoss[] = [];
const received: string[] = [];
let stream: LastingStream<string, string>;

beforeEach(() => {
  vi.useFakeTimers();
  for (const list of [attempts, losses, received]) list.length = 0;
  stream = new LastingStream({
    open: () => {
      const attempt = new Attempt();
      attempts.push(attempt);
      const call = attempt.call as unknown as ClientDuplexStream<string, string>;
      return { call, close: () => Object.assign(attempt, { isClosed: true }) };
    },
    opened: () => stream.send('who I am'),
    received: (message) => received.push(message),
    lost: (loss) => losses.push(loss),
  });
});
afterEach(() => {
  stream.stop();
  vi.useRealTimers();
});

it('given a stream that breaks, then it is opened again, later each time, until the other end takes it; one line tells of it', () => {
  stream.start();
  for (let n = 0; n < 4; n++) {
    attempts.at(-1)!.call.emit('error', new Error('gone'));
    vi.advanceTimersByTime(losses.at(-1)!.retryMs + 1);
  }
  expect(attempts).toHaveLength(5);
  expect(attempts.map(({ sent }) => sent)).toEqual(Array(5).fill(['who I am']));
  expect(attempts.map(({ isClosed }) => isClosed)).toEqual([true, true, true, true, false]);
  expect(losses.map(({ isNews }) => isNews)).toEqual([true, false, false, false]);
  expect(losses[3]!.retryMs).toBeGreaterThan(losses[0]!.retryMs);
  stream.accept();
  expect(stream.isAccepted).toBe(true);
  attempts.at(-1)!.call.emit('end');
  expect(losses.at(-1)).toMatchObject({ wasAccepted: true, isNews: true, reason: 'it ended the stream' });
  expect(losses.at(-1)!.retryMs).toBeLessThanOrEqual(100);
  expect(stream.isAccepted).toBe(false);
});

it('given another end that does not read, then it is not writable until it does, or until the stream is another', () => {
  expect(stream.isWritable).toBe(false);
  stream.start();
  expect(stream.isWritable).toBe(true);
  attempts[0]!.reads = false;
  stream.send('much');
  expect(stream.isWritable).toBe(false);
  attempts[0]!.call.emit('drain');
  expect(stream.isWritable).toBe(true);
  stream.send('much');
  attempts[0]!.call.emit('error', new Error('gone'));
  vi.advanceTimersByTime(losses[0]!.retryMs + 1);
  expect(stream.isWritable).toBe(true);
  attempts[0]!.call.emit('drain'); // of the old one
  expect(attempts[1]!.sent).toEqual(['who I am']);
});

it('given a stream that is stopped, then it ends and does not come again, also not one that was about to', () => {
  stream.start();
  stream.start();
  expect(attempts).toHaveLength(1);
  stream.stop();
  expect(attempts[0]!.call.end).toHaveBeenCalled();
  attempts[0]!.call.emit('end');
  expect(attempts[0]!.isClosed).toBe(true);
  stream.start();
  attempts[1]!.call.emit('error', new Error('gone'));
  stream.stop();
  vi.advanceTimersByTime(60_000);
  expect(attempts).toHaveLength(2);
  expect(losses).toHaveLength(1);
  stream.send('nobody hears it');
});
