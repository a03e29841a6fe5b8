import type { AdapterProducts } from '../compiled-model.js';
import { adapterInputs } from '../runtime/adapter-graph.js';
import type { WeightedProduct } from './decoder-blocks.js';
import type { GraphBuilder, Value } from './graph-builder.js';

/**
 * The same decoder, to whose products adapters add: y + where(row is of the adapter, x · Aᵀ, 0) · B, with the A and B of several adapters side by
 * side. A row without adapter adds zeros, and so has the bits that it has without.
 */
export function withAdapters(
  graph: GraphBuilder,
  products: readonly WeightedProduct[],
  kind: AdapterProducts,
): GraphBuilder {
  const isRowByRow = kind === 'row-by-row';
  const sites = new Map(products.map((product) => [product.value, product]));
  const declared = new Set<number>();
  const add = isRowByRow ? addRowByRow : addTogether;
  return graph.withBetween(new Set(sites.keys()), (adapted, value, given) => {
    const site = sites.get(value)!; // those of the set
    const { a, b, rows } = adapterInputs(site.value, site.weights.length);
    const outputs = site.weights.reduce((sum, weight) => sum + weight.rows, 0);
    const rank = `R${site.weights.length}`;
    adapted.input(a, 'float32', isRowByRow ? [1, 1, 'N', rank, site.columns] : [`N${rank}`, site.columns]);
    adapted.input(b, 'float32', isRowByRow ? [1, 1, `N${rank}`, outputs] : [`N${rank}`, outputs]);
    if (!declared.has(site.weights.length)) adapted.input(rows, 'bool', ['T', `N${rank}`]);
    declared.add(site.weights.length);
    add(adapted, site, given, { a, b, rows });
  });
}

interface Inputs {
  readonly a: Value;
  readonly b: Value;
  readonly rows: Value;
}

function addTogether(graph: GraphBuilder, { value, x }: WeightedProduct, given: Value, { a, b, rows }: Inputs): void {
  const inner = graph.op('Gemm', [x, a], `${value}.inner`, { transB: 1 });
  graph.op('Gemm', [ofRows(graph, value, inner, rows), b, given], value);
}

/** The right factors have more axes than the left ones: only then are these not put together to one matrix, whose products depend on its height. */
function addRowByRow(
  graph: GraphBuilder,
  { value, x, columns, weights }: WeightedProduct,
  given: Value,
  { a, b, rows }: Inputs,
): void {
  const outputs = weights.reduce((sum, weight) => sum + weight.rows, 0);
  const single = graph.op('Reshape', [x, graph.int64s(`single_rows_of_${columns}`, [-1, 1, 1, columns])], `${value}.x`);
  const inner = graph.contrib('FusedMatMul', [single, a], [`${value}.inner_products`], { transB: 1 });
  const flat = graph.op('Flatten', [inner], `${value}.inner`, { axis: 2 });
  const own = graph.op(
    'Unsqueeze',
    [ofRows(graph, value, flat, rows), graph.int64s('axis_1', [1])],
    `${value}.own_row`,
  );
  const added = graph.op('MatMul', [own, b], `${value}.added_products`);
  const addedRows = graph.op('Reshape', [added, graph.int64s(`rows_of_${outputs}`, [-1, outputs])], `${value}.added`);
  graph.op('Add', [given, addedRows], value);
}

/** Zero where a row is not of the adapter, also where the product is no number. */
function ofRows(graph: GraphBuilder, value: Value, inner: Value, rows: Value): Value {
  const zero = graph.constant('no_product', 'float32', [], Float32Array.of(0));
  return graph.op('Where', [rows, inner, zero], `${value}.own`);
}
