import type { AdapterProducts, AdapterSite } from '../compiled-model.js';

/**
 * What a decoder takes beside the tensors of `DecoderGraph` when adapters add to its products. With T rows, N neighbouring adapters, and R the rank
 * that each has room for, at a site with k weights:
 *
 * | input | type and elements | meaning |
 * |---|---|---|
 * | `SITE.a` | float32 [N, k · R, columns] | A of each weight of each adapter |
 * | `SITE.b` | float32 [N, k · R, rows of all weights] | Bᵀ, times the adapter's scale; zero at the rows of the other weights |
 * | `adapter_rows_k` | bool [T, N · k · R] | whether a row is of the adapter, for all its k · R ranks |
 */
export interface AdapterInputNames {
  readonly a: string;
  readonly b: string;
  readonly rows: string;
}

export function adapterInputs(site: string, weightCount: number): AdapterInputNames {
  return { a: `${site}.a`, b: `${site}.b`, rows: `adapter_rows_${weightCount}` };
}

/** A graph that adapters add to. */
export interface AdapterGraph {
  readonly path: string;
  readonly products: AdapterProducts;
  readonly sites: readonly AdapterSite[];
}

export function adapterInputNames(sites: readonly AdapterSite[]): string[] {
  const names = sites.flatMap(({ name, weights }) => Object.values(adapterInputs(name, weights.length)));
  return [...new Set(names)];
}
