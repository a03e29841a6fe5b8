import type { Arguments } from './arguments.js';
import { truncated } from './arguments.js';
import { compare, failIfUndefined } from './compare.js';
import type { Filter, FilterContext } from './filter.js';
import { joined, print, toJson } from './print.js';
import { sequenceFilters } from './sequence-filters.js';
import { textFilters } from './text-filters.js';
import {
  Float,
  fail,
  isDict,
  isTrue,
  iterate,
  lengthOf,
  numeric,
  orElse,
  sequenceItems,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

const length: Filter = (value) => lengthOf(value);

const defaulted: Filter = (value, given) => {
  const isMissing = value instanceof Undefined || (given.flag(1, 'boolean') && !isTrue(value));
  return isMissing ? orElse(given.get(0, 'default_value'), () => '') : value;
};

/** The filters of jinja2 that chat templates may use, and transformers' `tojson`. */
export const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...sequenceFilters,
  ...textFilters,
  ['length', length],
  ['count', length],
  ['default', defaulted],
  ['d', defaulted],
  ['items', items],
  ['dictsort', dictSort],
  ['tojson', jsonText],
  ['int', integer],
  ['float', floating],
  ['abs', absolute],
  ['round', rounded],
  ['attr', (value, given, context) => context.attribute(value, given.text(0, 'name'))],
  ['join', join],
]);

function items(value: Value): Value {
  if (value instanceof Undefined) return [];
  return isDict(value) ? [...value].map((entry) => new Tuple(entry)) : fail('Can only get item pairs from a mapping.');
}

function dictSort(value: Value, given: Arguments, { bounds }: FilterContext): Value {
  failIfUndefined(value);
  if (!isDict(value)) return fail(`'${typeName(value)}' object has no attribute 'items'`);
  const isCased = given.flag(0, 'case_sensitive');
  const by = given.text(1, 'by', 'key') === 'value' ? 1 : 0;
  const key = (entry: readonly [Value, Value]) => {
    const one = entry[by];
    return typeof one === 'string' && !isCased ? one.toLowerCase() : one;
  };
  const sign = given.flag(2, 'reverse') ? -1 : 1;
  return [...value].sort((a, b) => sign * compare(key(a), key(b), bounds)).map((entry) => new Tuple(entry));
}

function jsonText(value: Value, given: Arguments, { bounds }: FilterContext): Value {
  const indent = given.get(1, 'indent') ?? null;
  const separators = sequenceItems(given.get(2, 'separators') ?? null);
  const [item = indent === null ? ', ' : ',', key = ': '] = (separators ?? []) as readonly string[];
  return toJson(
    value,
    {
      ensureAscii: given.flag(0, 'ensure_ascii'),
      indent: indent === null ? null : typeof indent === 'string' ? indent : spaces(indent, bounds),
      separators: [item, key],
      sortKeys: given.flag(3, 'sort_keys'),
    },
    bounds,
  );
}

function spaces(count: Value, bounds: FilterContext['bounds']): string {
  const width = Math.max(0, numeric(count) ?? fail('indent must be an int or a str'));
  bounds.characters(width);
  return ' '.repeat(width);
}

function integer(value: Value, given: Arguments): Value {
  failIfUndefined(value);
  const otherwise = orElse(given.get(0, 'default'), () => 0);
  const base = given.integer(1, 'base', 10);
  if (typeof value !== 'string')
    return numeric(value) === undefined ? otherwise : (truncated(integerOf(value)) ?? otherwise);
  const text = value.trim().replace(/(?<=\d)_(?=\d)/g, '');
  if (base === 10) {
    if (/^[+-]?\d+$/.test(text)) return Number(text) + 0;
    const number = floatText(text);
    return number === undefined || !Number.isFinite(number) ? otherwise : Math.trunc(number) + 0;
  }
  const digits = text.replace(/^0[xob]/i, '');
  const parsed = Number.parseInt(digits, base);
  return Number.isNaN(parsed) ? otherwise : parsed;
}

function integerOf(value: Value): Value {
  return typeof value === 'boolean' ? Number(value) : value;
}

function floatText(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

function floating(value: Value, given: Arguments): Value {
  failIfUndefined(value);
  const number = typeof value === 'string' ? floatText(value.trim()) : numeric(value);
  return number === undefined ? orElse(given.get(0, 'default'), () => new Float(0)) : new Float(number);
}

function absolute(value: Value): Value {
  failIfUndefined(value);
  const number = Math.abs(numeric(value) ?? fail(`bad operand type for abs(): '${typeName(value)}'`));
  return value instanceof Float ? new Float(number) : number;
}

/** `common` rounds half to even, as Python does. */
function rounded(value: Value, given: Arguments): Value {
  failIfUndefined(value);
  const number = numeric(value) ?? fail(`type ${typeName(value)} doesn't define __round__ method`);
  const places = given.integer(0, 'precision', 0);
  const method = given.text(1, 'method', 'common');
  const scale = 10 ** places;
  if (method === 'ceil') return new Float(Math.ceil(number * scale) / scale);
  if (method === 'floor') return new Float(Math.floor(number * scale) / scale);
  if (method !== 'common') return fail('method must be common, ceil or floor');
  if (!(value instanceof Float)) return places >= 0 ? number : new Float(Math.round(number * scale) / scale);
  const below = Math.floor(number * scale);
  const isHalf = number * scale - below === 0.5;
  return new Float(
    isHalf ? (below + (Math.abs(below) % 2)) / scale : Number(number.toFixed(Math.min(Math.max(places, 0), 100))),
  );
}

function join(value: Value, given: Arguments, context: FilterContext): Value {
  const separator = print(
    orElse(given.get(0, 'd'), () => ''),
    context.bounds,
  );
  const name = given.get(1, 'attribute');
  const parts = iterate(value).map((item) =>
    print(name === undefined ? item : context.attributePath(item, name), context.bounds),
  );
  return joined(parts, separator, context.bounds);
}
