/** In each doubling of the depth. A power of two. */
const MARKS_PER_DOUBLING = 16;

/** Below it every position is a mark. */
const DENSE_BLOCKS = 2 * MARKS_PER_DOUBLING;

/** Every mark of the longest chain that can be, ascending. */
const MARKS: readonly number[] = everyMark();

/**
 * Positions that are looked at in a chain of blocks, ascending: 16 in each doubling of the depth, the same ones whatever the chain's length, and its last
 * `tailBlocks`. So 1,000 blocks cost 113 look-ups and those at the end, and prompts that part ways are told apart to within a
 * sixteenth of their length.
 */
export function marksOf(blockCount: number, tailBlocks = 1): number[] {
  const tailStart = Math.max(0, blockCount - tailBlocks);
  const marks = MARKS.slice(0, marksBefore(tailStart));
  for (let position = tailStart; position < blockCount; position++) marks.push(position);
  return marks;
}

/** @returns how many of `MARKS` are before a position */
function marksBefore(end: number): number {
  if (end <= DENSE_BLOCKS) return end;
  const last = end - 1;
  const doubling = 31 - Math.clz32(last);
  const strideShift = doubling - Math.log2(MARKS_PER_DOUBLING);
  const inDoubling = (last - 2 ** doubling) >> strideShift;
  return DENSE_BLOCKS + (doubling - Math.log2(DENSE_BLOCKS)) * MARKS_PER_DOUBLING + inDoubling + 1;
}

function everyMark(): number[] {
  const marks = Array.from({ length: DENSE_BLOCKS }, (_, position) => position);
  for (let start = DENSE_BLOCKS; start < 2 ** 31; start *= 2) {
    for (let mark = 0; mark < MARKS_PER_DOUBLING; mark++) marks.push(start + (mark * start) / MARKS_PER_DOUBLING);
  }
  return marks;
}
