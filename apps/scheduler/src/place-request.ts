import type { PlaceRequest } from '#lib/contracts';
import { BLOCK_HASH_BYTES, PrefixHashes } from '#lib/kv';
import type { PlacementRequest } from '#lib/placement';
import { fromUnixMs } from './scheduler-clock.js';

/** A `PlaceRequest` that makes no sense; `field` names the culprit. */
export class InvalidPlaceRequestError extends Error {
  constructor(
    readonly field: string,
    expected: string,
  ) {
    super(`${field}: expected ${expected}`);
    this.name = 'InvalidPlaceRequestError';
  }
}

const MOST_PREFIX_HASHES = 4_096;
const HIGHEST_PRIORITY = 10;

/** @throws InvalidPlaceRequestError */
export function fromPlaceRequest(wire: PlaceRequest): PlacementRequest {
  if (wire.generationId === '') throw new InvalidPlaceRequestError('generation_id', 'an id');
  if (wire.modelId === '') throw new InvalidPlaceRequestError('model_id', 'an id');
  if (wire.prefixHashes.length > MOST_PREFIX_HASHES * BLOCK_HASH_BYTES) {
    throw new InvalidPlaceRequestError('prefix_hashes', `at most ${MOST_PREFIX_HASHES}`);
  }
  if (wire.prefixHashes.length % BLOCK_HASH_BYTES !== 0) {
    throw new InvalidPlaceRequestError('prefix_hashes', `${BLOCK_HASH_BYTES} bytes each`);
  }
  if (Math.abs(wire.priority) > HIGHEST_PRIORITY) {
    throw new InvalidPlaceRequestError('priority', `-${HIGHEST_PRIORITY} to ${HIGHEST_PRIORITY}`);
  }
  const ttftDeadlineUnixMs = wire.ttftDeadlineUnixMs === 0 ? 0 : fromUnixMs(wire.ttftDeadlineUnixMs);
  // Explained also where the caller does not ask: the flight recorder does.
  const prefixHashes = new PrefixHashes(wire.prefixHashes);
  return { ...wire, prefixHashes, explain: true, sequenceCount: Math.max(1, wire.sequenceCount), ttftDeadlineUnixMs };
}
