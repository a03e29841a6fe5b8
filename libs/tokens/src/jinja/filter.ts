import type { Arguments } from './arguments.js';
import type { RenderBounds } from './bounds.js';
import type { Value } from './values.js';

/** What filters may ask of who runs them. */
export interface FilterContext {
  readonly bounds: RenderBounds;
  /** Applies the filter of this name. */
  filter(name: string, value: Value, given: Arguments): Value;
  /** Whether the test of this name holds. */
  test(name: string, value: Value, given: Arguments): boolean;
  /** The attribute of this name. */
  attribute(value: Value, name: string): Value;
  /** The attribute at a path such as `function.name` or `0`. */
  attributePath(value: Value, path: Value): Value;
}

/** One filter of jinja2. */
export type Filter = (value: Value, given: Arguments, context: FilterContext) => Value;
