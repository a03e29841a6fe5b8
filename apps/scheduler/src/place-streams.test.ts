import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { PlaceRequest, PlaceResponse, PlaceStreamRequest, type PlaceStreamResponse } from '#lib/contracts';
import { createLogger } from '#lib/observability';
import type { LeaseReleases } from './lease-releases.js';
import type { PlaceCalls } from './place-calls.js';
import { type PlaceStream, PlaceStreams } from './place-streams.js';

/** A gateway that takes no answer until it is told to. */
class UnreadStream extends EventEmitter {
  readonly written: PlaceStreamResponse[] = [];
  isPaused = false;
  /** Of what was written when the stream was ended. */
  callIdsAtEnd: number[] | undefined;

  write(response: PlaceStreamResponse): boolean {
    this.written.push(response);
    return false;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.callIdsAtEnd = this.written.flatMap((response) => [response, ...response.further].map(({ callId }) => callId));
  }
}

/** All calls are answered at once. */
function accepted() {
  const calls = { open: () => ({ answer: Promise.resolve(PlaceResponse.fromPartial({})), abandon: () => {} }) };
  const logger = createLogger('test', { level: 'silent', format: 'json' });
  const streams = new PlaceStreams(calls as unknown as PlaceCalls, {} as LeaseReleases, logger);
  const stream = new UnreadStream();
  streams.accept(stream as unknown as PlaceStream);
  return { streams, stream };
}

function placeAsk(callId: number, takesFurther = false): PlaceStreamRequest {
  const request = PlaceRequest.fromPartial({});
  return PlaceStreamRequest.create({
    callId,
    ask: { $case: 'place', value: { request, timeoutMs: 1_000 } },
    takesFurther,
  });
}

it('given many answers for a gateway that takes none, then it is waited for once, and asked for more when it took them', async () => {
  const { stream } = accepted();
  for (let callId = 1; callId <= 20; callId++) stream.emit('data', placeAsk(callId));
  await expect.poll(() => stream.written.length).toBe(20);
  expect(stream.isPaused).toBe(true);
  expect(stream.listenerCount('drain')).toBe(1);
  stream.emit('drain');
  expect(stream.isPaused).toBe(false);
  expect(stream.listenerCount('drain')).toBe(0);
});

it('given a scheduler that ends while answers wait for others to leave with them, then they leave before the stream ends', async () => {
  const { streams, stream } = accepted();
  for (const callId of [1, 2, 3]) stream.emit('data', placeAsk(callId, true));
  streams.beforeApplicationShutdown();
  await expect.poll(() => stream.callIdsAtEnd).toEqual([1, 2, 3]);
  expect(stream.written).toHaveLength(1);
});
