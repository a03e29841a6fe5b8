/**
 * Bytes of blocks that the engine copies at once, since its steps wait for it meanwhile. Chosen: half a millisecond at the speed of
 * memory, five blocks of a 135 M model.
 */
const PIECE_BYTES = 4 * 1024 * 1024;

/** How many blocks are brought to the engine, or from it, at once. */
export function blocksPerPiece(blockBytes: number): number {
  return Math.max(1, Math.floor(PIECE_BYTES / blockBytes));
}
