import type { LoraPair } from '#lib/models';
import type { AdapterSite } from '../compiled-model.js';

/** Room for ranks grows by so many: kernels take columns by fours and eights, and what is left over may be summed in another order. */
const RANK_STEP = 8;

/** Matrices of neighbouring adapters at one site, as the graph takes them. */
export interface SiteMatrices {
  readonly site: AdapterSite;
  /** [adapters, weights · rank, columns] */
  readonly a: Float32Array;
  /** [adapters, weights · rank, rows of all weights] */
  readonly b: Float32Array;
}

/**
 * The matrices of all adapters, side by side in slots, at each product to which they add. Every slot has room for the same rank, as large as one
 * of them has needed; what an adapter does not use of it is zero. Memory is the system's until a slot is written.
 */
export class AdapterMemory {
  /** Ranks that a slot has room for. */
  rank = 0;
  /** Changes whenever the matrices lie elsewhere. */
  generation = 0;
  private matrices: readonly SiteMatrices[];
  private readonly sitesOf = new Map<string, { readonly site: number; readonly weight: number }>();

  constructor(
    private readonly sites: readonly AdapterSite[],
    readonly slots: number,
  ) {
    this.matrices = this.allocate(0);
    for (const [site, { weights }] of sites.entries()) {
      for (const [weight, { module }] of weights.entries()) this.sitesOf.set(module, { site, weight });
    }
  }

  /** What is written for an adapter of a rank that adds to every product. */
  bytesOf(rank: number): number {
    const numbers = this.sites.map((site) => site.weights.length * rank * (site.columns + outputsOf(site)));
    return Float32Array.BYTES_PER_ELEMENT * numbers.reduce((sum, count) => sum + count, 0);
  }

  /** Makes room for adapters of a rank; what stands there moves. */
  makeRoom(rank: number): void {
    if (rank <= this.rank) return;
    const before = { matrices: this.matrices, rank: this.rank };
    const roomRank = Math.ceil(rank / RANK_STEP) * RANK_STEP;
    const matrices = this.allocate(roomRank);
    for (const [index, { site, a, b }] of matrices.entries()) {
      const from = before.matrices[index]!; // of the same site
      moveRanks(from.a, a, site.columns, before.rank, roomRank);
      moveRanks(from.b, b, outputsOf(site), before.rank, roomRank);
    }
    this.matrices = matrices;
    this.rank = roomRank;
    this.generation++;
  }

  /** Nothing stands there any more, and no pass takes it: its memory goes back. */
  reset(): void {
    this.matrices = this.allocate(0);
    this.rank = 0;
    this.generation++;
  }

  clear(slot: number): void {
    for (const { site, a, b } of this.matrices) {
      const ranks = site.weights.length * this.rank;
      a.fill(0, slot * ranks * site.columns, (slot + 1) * ranks * site.columns);
      b.fill(0, slot * ranks * outputsOf(site), (slot + 1) * ranks * outputsOf(site));
    }
  }

  /** Writes what an adapter adds to one module; the slot has room for its rank. */
  write(slot: number, module: string, { rank, scale, a, b }: LoraPair): void {
    const at = this.sitesOf.get(module)!; // the adapter was checked
    const { site, a: allA, b: allB } = this.matrices[at.site]!;
    const firstRank = (slot * site.weights.length + at.weight) * this.rank;
    allA.set(a, firstRank * site.columns);
    const width = outputsOf(site);
    const firstRow = site.weights.slice(0, at.weight).reduce((sum, { rows }) => sum + rows, 0);
    const { rows } = site.weights[at.weight]!;
    for (let index = 0; index < rank; index++) {
      const to = (firstRank + index) * width + firstRow;
      for (let row = 0; row < rows; row++) allB[to + row] = scale * b[row * rank + index]!;
    }
  }

  /** Of slots [first, first + count). */
  range(first: number, count: number): readonly SiteMatrices[] {
    return this.matrices.map(({ site, a, b }) => {
      const ranks = site.weights.length * this.rank;
      const part = (whole: Float32Array, width: number) =>
        whole.subarray(first * ranks * width, (first + count) * ranks * width);
      return { site, a: part(a, site.columns), b: part(b, outputsOf(site)) };
    });
  }

  private allocate(rank: number): SiteMatrices[] {
    return this.sites.map((site) => {
      const ranks = this.slots * site.weights.length * rank;
      return { site, a: new Float32Array(ranks * site.columns), b: new Float32Array(ranks * outputsOf(site)) };
    });
  }
}

export function outputsOf({ weights }: AdapterSite): number {
  return weights.reduce((sum, { rows }) => sum + rows, 0);
}

/** Groups of `fromRank` rows to the beginnings of groups of `toRank`. */
function moveRanks(from: Float32Array, to: Float32Array, width: number, fromRank: number, toRank: number): void {
  if (fromRank === 0) return;
  const groups = from.length / (fromRank * width);
  for (let group = 0; group < groups; group++) {
    const rows = from.subarray(group * fromRank * width, (group + 1) * fromRank * width);
    to.set(rows, group * toRank * width);
  }
}
