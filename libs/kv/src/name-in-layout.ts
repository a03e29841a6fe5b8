import { BLOCK_HASH_BYTES } from './block-hash.js';

/**
 * What a block is called where there are blocks in several layouts: its hash says which tokens it is of, the layout what its bytes mean.
 * @param blockHash, layout  16 bytes each; the layout's are a hash as well, so that names in two layouts meet as seldom as hashes do
 * @param into  where the name goes, 16 bytes
 */
export function nameInLayout(
  blockHash: Uint8Array,
  layout: Uint8Array,
  into: Uint8Array = new Uint8Array(BLOCK_HASH_BYTES),
): Uint8Array {
  for (let at = 0; at < BLOCK_HASH_BYTES; at++) into[at] = blockHash[at]! ^ layout[at]!;
  return into;
}
