/**
 * Positions that are looked at in a chain of blocks, ascending: 16 in each doubling of the depth, the same ones whatever the chain's length, and its last
 * `tailBlocks`. So 1,000 blocks cost 113 look-ups and those at the end, and prompts that part ways are told apart to within a
 * sixteenth of their length.
 */
export function marksOf(blockCount: number, tailBlocks = 1): number[] {
  const tailStart = blockCount - tailBlocks;
  const marks: number[] = [];
  for (let position = 0; position < blockCount; ) {
    marks.push(position);
    position = position < tailStart ? Math.min(position + strideAt(position), tailStart) : position + 1;
  }
  return marks;
}

/** A sixteenth of the largest power of two up to the position, at least 1. */
function strideAt(position: number): number {
  return position < 32 ? 1 : 1 << (27 - Math.clz32(position));
}
