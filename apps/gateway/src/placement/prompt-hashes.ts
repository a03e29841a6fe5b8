import { setImmediate as turn } from 'node:timers/promises';
import type { GenerationRequest, ServedModel } from '#lib/contracts';
import { BLOCK_HASH_BYTES, prefixSeed, writeBlockHashes } from '#lib/kv';

/** As many as `PlaceRequest.prefix_hashes` may hold. */
const MOST_HASHES = 4_096;
/** Hashed at once, in about 0.3 ms (measured 2026-12-01, 16 tokens each); then others have their turn. */
const BLOCKS_AT_ONCE = 512;

/** By salt, as long as its requests are there, and by model and adapter. */
const seeds = new WeakMap<Uint8Array, Map<string, Uint8Array>>();
/** Of one salt. */
const MOST_SEEDS = 64;

/**
 * Hashes of the prompt's full blocks, the first ones when there are very many; none for a worker without blocks.
 * @param adapterVersion  empty for the model alone
 * @returns as `PlaceRequest.prefix_hashes` has them, shape [blocks, 16]
 */
export async function promptHashes(
  { promptTokenIds, cacheSalt }: GenerationRequest,
  { modelFingerprint, blockTokens }: ServedModel,
  adapterVersion = '',
): Promise<Buffer> {
  const blocks = blockTokens === 0 ? 0 : Math.min(MOST_HASHES, Math.floor(promptTokenIds.length / blockTokens));
  const hashes = Buffer.alloc(blocks * BLOCK_HASH_BYTES);
  if (blocks === 0) return hashes;
  const seed = seedOf(modelFingerprint, adapterVersion, cacheSalt);
  for (let block = 0; block < blocks; block += BLOCKS_AT_ONCE) {
    if (block > 0) await turn();
    const end = Math.min(blocks, block + BLOCKS_AT_ONCE);
    writeBlockHashes(hashes, block, end, promptTokenIds, blockTokens, seed);
  }
  return hashes;
}

function seedOf(modelFingerprint: string, adapterVersion: string, salt: Uint8Array): Uint8Array {
  let known = seeds.get(salt);
  if (known === undefined || known.size >= MOST_SEEDS) {
    known = new Map();
    seeds.set(salt, known);
  }
  const key = `${modelFingerprint} ${adapterVersion}`;
  let seed = known.get(key);
  if (seed === undefined) {
    seed = prefixSeed({ modelFingerprint, adapterVersion, salt });
    known.set(key, seed);
  }
  return seed;
}
