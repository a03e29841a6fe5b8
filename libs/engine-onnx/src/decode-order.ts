import type { DecodeRow } from '#lib/engine';

export interface OrderedRows {
  /** Index of the caller's row for each row, by slot. */
  readonly order: readonly number[];
  /** Rows of slots that follow one another, each with the place of its first row in the order. */
  readonly runs: readonly { readonly rows: readonly DecodeRow[]; readonly first: number }[];
}

/** Rows by slot, divided where slots do not follow one another. */
export function orderOfRows(rows: readonly DecodeRow[]): OrderedRows {
  const order = rows.map((_, index) => index).sort((a, b) => rows[a]!.slot - rows[b]!.slot);
  const sorted = order.map((index) => rows[index]!);
  const runs: { rows: DecodeRow[]; first: number }[] = [];
  for (const [index, row] of sorted.entries()) {
    const isNext = index > 0 && row.slot === sorted[index - 1]!.slot + 1;
    if (isNext) runs.at(-1)!.rows.push(row);
    else runs.push({ rows: [row], first: index });
  }
  return { order, runs };
}

/**
 * @param logits  rows of `vocabularySize` by slot
 * @returns the same memory where the caller asked in that order, else a copy
 */
export function inCallersOrder(logits: Float32Array, order: readonly number[], vocabularySize: number): Float32Array {
  if (order.every((row, index) => row === index)) return logits;
  const ordered = new Float32Array(order.length * vocabularySize);
  order.forEach((row, index) => {
    ordered.set(logits.subarray(index * vocabularySize, (index + 1) * vocabularySize), row * vocabularySize);
  });
  return ordered;
}
