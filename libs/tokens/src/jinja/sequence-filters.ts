import type { Arguments } from './arguments.js';
import { compare, isEqual } from './compare.js';
import type { Filter, FilterContext } from './filter.js';
import { calculate } from './operators.js';
import { fail, isDict, isTrue, iterate, orElse, Tuple, typeName, Undefined, type Value } from './values.js';

/** jinja2's filters over lists, and over what else can be iterated. */
export const sequenceFilters: readonly (readonly [string, Filter])[] = [
  ['list', (value) => [...iterate(value)]],
  ['first', (value) => orElse(iterate(value)[0], () => new Undefined('No first item, sequence was empty.'))],
  ['last', (value) => orElse(iterate(value).at(-1), () => new Undefined('No last item, sequence was empty.'))],
  ['reverse', (value) => (typeof value === 'string' ? [...value].reverse().join('') : [...iterate(value)].reverse())],
  ['sort', sort],
  ['unique', unique],
  ['min', (value, given, context) => extreme(value, given, context, -1)],
  ['max', (value, given, context) => extreme(value, given, context, 1)],
  ['sum', sum],
  ['map', map],
  ['select', (value, given, context) => itemsOrNone(value).filter((item) => holds(item, given, context))],
  ['reject', (value, given, context) => itemsOrNone(value).filter((item) => !holds(item, given, context))],
  ['selectattr', (value, given, context) => byAttribute(value, given, context, true)],
  ['rejectattr', (value, given, context) => byAttribute(value, given, context, false)],
  ['batch', batch],
  ['slice', slices],
  ['groupby', groupBy],
];

/** `map`, `select` and their kin take what is false for empty, none too. */
function itemsOrNone(value: Value): readonly Value[] {
  return isTrue(value) ? iterate(value) : [];
}

/** What items are compared by: their attribute where one is named, upper and lower case alike unless asked otherwise. */
function keyOf(attribute: Value | undefined, isCased: boolean, context: FilterContext): (item: Value) => Value {
  return (item) => {
    const key = (attribute ?? null) === null ? item : context.attributePath(item, attribute!);
    return typeof key === 'string' && !isCased ? key.toLowerCase() : key;
  };
}

function sort(value: Value, given: Arguments, context: FilterContext): Value {
  const sign = given.flag(0, 'reverse') ? -1 : 1;
  const key = keyOf(given.get(2, 'attribute'), given.flag(1, 'case_sensitive'), context);
  return [...iterate(value)].sort((a, b) => sign * compare(key(a), key(b), context.bounds));
}

function unique(value: Value, given: Arguments, context: FilterContext): Value {
  const key = keyOf(given.get(1, 'attribute'), given.flag(0, 'case_sensitive'), context);
  const seen: Value[] = [];
  return iterate(value).filter((item) => {
    const own = key(item);
    if (seen.some((other) => isEqual(other, own, context.bounds))) return false;
    seen.push(own);
    return true;
  });
}

function extreme(value: Value, given: Arguments, context: FilterContext, sign: -1 | 1): Value {
  const key = keyOf(given.get(1, 'attribute'), given.flag(0, 'case_sensitive'), context);
  const items = iterate(value);
  if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.');
  return items.reduce((best, item) => (sign * compare(key(item), key(best), context.bounds) > 0 ? item : best));
}

function sum(value: Value, given: Arguments, context: FilterContext): Value {
  const attribute = given.get(0, 'attribute') ?? null;
  const items = iterate(value).map((item) => (attribute === null ? item : context.attributePath(item, attribute)));
  return items.reduce((total, item) => calculate('+', total, item, context.bounds), given.get(1, 'start') ?? 0);
}

function map(value: Value, given: Arguments, context: FilterContext): Value {
  const attribute = given.keywords.get('attribute');
  if (attribute !== undefined) {
    const otherwise = given.keywords.get('default');
    return itemsOrNone(value).map((item) => {
      const found = context.attributePath(item, attribute);
      return found instanceof Undefined && otherwise !== undefined ? otherwise : found;
    });
  }
  const name = given.text(0, 'filter');
  return itemsOrNone(value).map((item) => context.filter(name, item, given.after(1)));
}

function holds(item: Value, given: Arguments, context: FilterContext): boolean {
  if (given.positional.length === 0) return isTrue(item);
  return context.test(given.text(0, 'test'), item, given.after(1));
}

function byAttribute(value: Value, given: Arguments, context: FilterContext, isKept: boolean): Value {
  const path = given.required(0, 'attribute');
  return itemsOrNone(value).filter(
    (item) => holds(context.attributePath(item, path), given.after(1), context) === isKept,
  );
}

function batch(value: Value, given: Arguments, { bounds }: FilterContext): Value {
  const size = positive(given, 'linecount');
  const fill = given.get(1, 'fill_with') ?? null;
  const items = [...iterate(value)];
  const lines: Value[][] = [];
  for (let i = 0; i < items.length; i += size) lines.push(items.slice(i, i + size));
  const last = lines.at(-1);
  if (fill === null || last === undefined) return lines;
  bounds.items(size);
  while (last.length < size) last.push(fill);
  return lines;
}

function slices(value: Value, given: Arguments, { bounds }: FilterContext): Value {
  const count = positive(given, 'slices');
  bounds.items(count);
  const fill = given.get(1, 'fill_with') ?? null;
  const items = iterate(value);
  const each = Math.floor(items.length / count);
  const longer = items.length % count;
  return Array.from({ length: count }, (_, i) => {
    const part = items.slice(i * each + Math.min(i, longer), (i + 1) * each + Math.min(i + 1, longer));
    return fill !== null && i >= longer ? [...part, fill] : part;
  });
}

function positive(given: Arguments, name: string): number {
  const count = given.integer(0, name, 0);
  return count > 0 ? count : fail(`${name} must be positive`);
}

function groupBy(value: Value, given: Arguments, context: FilterContext): Value {
  const path = given.required(0, 'attribute');
  const otherwise = given.get(1, 'default');
  const own = (item: Value) => {
    const found = context.attributePath(item, path);
    return found instanceof Undefined && otherwise !== undefined ? otherwise : found;
  };
  const isCased = given.flag(2, 'case_sensitive');
  const key = (item: Value) => {
    const found = own(item);
    return typeof found === 'string' && !isCased ? found.toLowerCase() : found;
  };
  const groups: { readonly key: Value; readonly grouper: Value; readonly items: Value[] }[] = [];
  for (const item of [...iterate(value)].sort((a, b) => compare(key(a), key(b), context.bounds))) {
    const last = groups.at(-1);
    if (last !== undefined && isEqual(last.key, key(item), context.bounds)) last.items.push(item);
    else groups.push({ key: key(item), grouper: own(item), items: [item] });
  }
  return groups.map(({ grouper, items }) => new Tuple([grouper, items]));
}

/** A path's parts: names between dots, and places in lists. */
export function pathParts(path: Value): readonly (string | number)[] {
  if (typeof path === 'number') return [path];
  if (typeof path !== 'string')
    return fail(`an attribute is named by a str, not ${isDict(path) ? 'dict' : typeName(path)}`);
  return path.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}
