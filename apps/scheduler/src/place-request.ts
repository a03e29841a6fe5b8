import type { PlaceRequest } from '#lib/contracts';
import type { PlacementRequest } from '#lib/placement';

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
const PREFIX_HASH_BYTES = 16;
const HIGHEST_PRIORITY = 10;

/** @throws InvalidPlaceRequestError */
export function fromPlaceRequest(wire: PlaceRequest): PlacementRequest {
  if (wire.generationId === '') throw new InvalidPlaceRequestError('generation_id', 'an id');
  if (wire.modelId === '') throw new InvalidPlaceRequestError('model_id', 'an id');
  if (wire.prefixHashes.length > MOST_PREFIX_HASHES) {
    throw new InvalidPlaceRequestError('prefix_hashes', `at most ${MOST_PREFIX_HASHES}`);
  }
  if (wire.prefixHashes.some((hash) => hash.length !== PREFIX_HASH_BYTES)) {
    throw new InvalidPlaceRequestError('prefix_hashes', `${PREFIX_HASH_BYTES} bytes each`);
  }
  if (Math.abs(wire.priority) > HIGHEST_PRIORITY) {
    throw new InvalidPlaceRequestError('priority', `-${HIGHEST_PRIORITY} to ${HIGHEST_PRIORITY}`);
  }
  return { ...wire, sequenceCount: Math.max(1, wire.sequenceCount) };
}
