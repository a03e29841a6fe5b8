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
}

it('given many answers for a gateway that takes none, then it is waited for once, and asked for more when it took them', async () => {
  const calls = { open: () => ({ answer: Promise.resolve(PlaceResponse.fromPartial({})), abandon: () => {} }) };
  const logger = createLogger('test', { level: 'silent', format: 'json' });
  const streams = new PlaceStreams(calls as unknown as PlaceCalls, {} as LeaseReleases, logger);
  const stream = new UnreadStream();
  streams.accept(stream as unknown as PlaceStream);
  const request = PlaceRequest.fromPartial({});
  for (let callId = 1; callId <= 20; callId++) {
    const ask = { $case: 'place' as const, value: { request, timeoutMs: 1_000 } };
    stream.emit('data', PlaceStreamRequest.create({ callId, ask }));
  }
  await expect.poll(() => stream.written.length).toBe(20);
  expect(stream.isPaused).toBe(true);
  expect(stream.listenerCount('drain')).toBe(1);
  stream.emit('drain');
  expect(stream.isPaused).toBe(false);
  expect(stream.listenerCount('drain')).toBe(0);
});
