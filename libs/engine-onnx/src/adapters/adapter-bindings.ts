import type { AdapterProducts } from '../compiled-model.js';
import { adapterInputs } from '../runtime/adapter-graph.js';
import type { OrtBinding } from '../runtime/ort-binding.js';
import { type AdapterMemory, outputsOf } from './adapter-memory.js';

/** Neighbouring slots of adapters that a pass takes. */
export interface AdapterRange {
  readonly first: number;
  readonly count: number;
}

/** Rows of a pass with their adapters: the slot of each, or -1. */
export type AdapterRows = ArrayLike<number>;

/** Binds what a pass takes of the adapters: their matrices once for a range of them, and which row is of which each time. */
export class AdapterBindings {
  /** One for each number of weights that sites have. */
  private readonly weightCounts: readonly number[];
  private readonly masks = new Map<number, Uint8Array>();

  constructor(
    private readonly memory: AdapterMemory,
    sites: readonly { readonly weights: { readonly length: number } }[],
    private readonly products: AdapterProducts,
  ) {
    this.weightCounts = [...new Set(sites.map(({ weights }) => weights.length))];
  }

  /** What a pass takes: the adapters from the first to the last that a row is of. */
  rangeOf(rows: AdapterRows): AdapterRange {
    const range = rangeOf(rows);
    const needsOne = this.products === 'row-by-row'; // it does not multiply by nothing
    return range.count === 0 && needsOne ? { first: 0, count: 1 } : range;
  }

  /** Changes whenever bound matrices lie elsewhere. */
  get generation(): number {
    return this.memory.generation;
  }

  bindMatrices(binding: OrtBinding, { first, count }: AdapterRange): void {
    const { rank } = this.memory;
    for (const { site, a, b } of this.memory.range(first, count)) {
      const names = adapterInputs(site.name, site.weights.length);
      const ranks = site.weights.length * rank;
      const [aShape, bShape] =
        this.products === 'row-by-row'
          ? [
              [1, 1, count, ranks, site.columns],
              [1, 1, count * ranks, outputsOf(site)],
            ]
          : [
              [count * ranks, site.columns],
              [count * ranks, outputsOf(site)],
            ];
      binding.bindInput(names.a, count === 0 ? NOTHING : a, 'float32', aShape);
      binding.bindInput(names.b, count === 0 ? NOTHING : b, 'float32', bShape);
    }
  }

  bindRows(binding: OrtBinding, rows: AdapterRows, { first, count }: AdapterRange): void {
    for (const weights of this.weightCounts) {
      const ranks = weights * this.memory.rank;
      const width = count * ranks;
      const mask = this.maskOf(weights, rows.length * width);
      mask.fill(0);
      for (let row = 0; row < rows.length; row++) {
        const from = row * width + (rows[row]! - first) * ranks;
        if (rows[row]! >= 0) mask.fill(1, from, from + ranks);
      }
      binding.bindInput(adapterInputs('', weights).rows, mask, 'bool', [rows.length, width]);
    }
  }

  private maskOf(weights: number, bytes: number): Uint8Array {
    let mask = this.masks.get(weights);
    if (mask === undefined || mask.length < bytes) {
      mask = new Uint8Array(Math.max(bytes, 1));
      this.masks.set(weights, mask);
    }
    return mask.subarray(0, Math.max(bytes, 1));
  }
}

/** Where a tensor without elements lies. */
const NOTHING = new Float32Array(1);

function rangeOf(rows: AdapterRows): AdapterRange {
  let first = Number.POSITIVE_INFINITY;
  let last = -1;
  for (let row = 0; row < rows.length; row++) {
    const slot = rows[row]!;
    if (slot < 0) continue;
    first = Math.min(first, slot);
    last = Math.max(last, slot);
  }
  return last < 0 ? { first: 0, count: 0 } : { first, count: last - first + 1 };
}
