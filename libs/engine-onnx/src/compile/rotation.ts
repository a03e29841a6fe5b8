/**
 * An orthogonal matrix R [width, width] that spreads every element of a vector over all of them, so that none stands out and
 * one scale serves the whole vector: x · Wᵀ = (x · R) · (W · R)ᵀ. Signs, then Hadamard's matrix over the largest power of two in
 * the width, then a cosine transform over the odd rest; computed without the matrix in width × (log₂ + rest) steps.
 * @see Ashkboos et al. 2024, QuaRot, arXiv:2404.00456
 */
export class Rotation {
  private readonly signs: Float32Array;
  /** Largest power of two that divides the width. */
  private readonly runLength: number;
  /** Cosine transform over the runs, shape [runs, runs], with Hadamard's factor. */
  private readonly cosines: Float64Array;
  private readonly runs: number;

  constructor(readonly width: number) {
    if (!Number.isInteger(width) || width < 1) throw new RangeError(`A rotation has no width of ${width}.`);
    this.runLength = width & -width;
    this.runs = width / this.runLength;
    this.signs = Float32Array.from({ length: width }, (_, index) => signOf(index));
    this.cosines = new Float64Array(this.runs * this.runs);
    for (let from = 0; from < this.runs; from++) {
      for (let to = 0; to < this.runs; to++) {
        const norm = Math.sqrt((to === 0 ? 1 : 2) / this.runs / this.runLength);
        this.cosines[from * this.runs + to] = norm * Math.cos((Math.PI * (2 * from + 1) * to) / (2 * this.runs));
      }
    }
  }

  /** Rows of `width` elements, each replaced by row · R. */
  rotateRows(values: Float32Array): void {
    const { width, runLength } = this;
    const row = new Float64Array(width);
    for (let first = 0; first < values.length; first += width) {
      for (let i = 0; i < width; i++) row[i] = (values[first + i] as number) * (this.signs[i] as number);
      for (let start = 0; start < width; start += runLength) hadamard(row, start, runLength);
      for (let column = 0; column < runLength; column++) this.mixRuns(row, column, values, first);
    }
  }

  /** R, float32 [width, width]. */
  matrix(): Float32Array {
    const matrix = new Float32Array(this.width * this.width);
    for (let i = 0; i < this.width; i++) matrix[i * this.width + i] = 1;
    this.rotateRows(matrix);
    return matrix;
  }

  private mixRuns(row: Float64Array, column: number, to: Float32Array, first: number): void {
    const { runs, runLength, cosines } = this;
    for (let run = 0; run < runs; run++) {
      let sum = 0;
      for (let from = 0; from < runs; from++) {
        sum += (row[from * runLength + column] as number) * (cosines[from * runs + run] as number);
      }
      to[first + run * runLength + column] = sum;
    }
  }
}

/** Without its factor, in place. */
function hadamard(values: Float64Array, start: number, length: number): void {
  for (let half = 1; half < length; half *= 2) {
    for (let block = start; block < start + length; block += 2 * half) {
      for (let i = block; i < block + half; i++) {
        const left = values[i] as number;
        const right = values[i + half] as number;
        values[i] = left + right;
        values[i + half] = left - right;
      }
    }
  }
}

/** 1 or -1 without pattern, the same on every machine: vectors that lie along a row of Hadamard's matrix are none of ours. */
function signOf(index: number): number {
  const mixed = Math.imul(index ^ (index >>> 15) ^ 0x9e3779b9, 0x85ebca6b);
  return Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35) >>> 31 === 0 ? 1 : -1;
}
