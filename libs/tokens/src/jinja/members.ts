import { Arguments } from './arguments.js';
import type { RenderBounds } from './bounds.js';
import { dictMethods, listMethods } from './collection-methods.js';
import { failIfUndefined, isEqual } from './compare.js';
import type { Method } from './method.js';
import { repr } from './print.js';
import { stringMethods } from './string-methods.js';
import {
  Attributes,
  Callable,
  fail,
  isDict,
  isList,
  orElse,
  sequenceItems,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** jinja2's `value.name`: an attribute or method, else the item of that name, else undefined. */
export function getAttribute(value: Value, name: string, bounds: RenderBounds): Value {
  const found = orElse(attribute(value, name, bounds), () => item(value, name, bounds));
  return orElse(found, () => missing(value, name, bounds));
}

/** jinja2's `value[key]`: the item, else the attribute or method of that name, else undefined. */
export function getItem(value: Value, key: Value, bounds: RenderBounds): Value {
  const found = item(value, key, bounds);
  if (found !== undefined) return found;
  return orElse(typeof key === 'string' ? attribute(value, key, bounds) : undefined, () => missing(value, key, bounds));
}

function attribute(value: Value, name: string, bounds: RenderBounds): Value | undefined {
  if (value instanceof Attributes) return value.entries.get(name);
  if (typeof value === 'string') return bound(value, name, stringMethods, bounds);
  if (isDict(value)) return bound(value, name, dictMethods, bounds);
  const items = sequenceItems(value);
  return items === undefined ? undefined : bound(items, name, listMethods, bounds);
}

function bound<Receiver>(
  receiver: Receiver,
  name: string,
  methods: ReadonlyMap<string, Method<Receiver>>,
  bounds: RenderBounds,
): Callable | undefined {
  const method = methods.get(name);
  if (method === undefined) return undefined;
  return new Callable(name, (positional, keywords) =>
    method(receiver, new Arguments(name, positional, keywords), bounds),
  );
}

function item(value: Value, key: Value, bounds: RenderBounds): Value | undefined {
  if (isDict(value)) {
    const found = value.get(key);
    if (found !== undefined || typeof key === 'string') return found;
    return [...value].find(([name]) => isEqual(name, key, bounds))?.[1];
  }
  if (typeof key !== 'number' && typeof key !== 'boolean') return undefined;
  const items = typeof value === 'string' ? [...value] : sequenceItems(value);
  return items?.at(Number(key));
}

function missing(value: Value, key: Value, bounds: RenderBounds): Undefined {
  failIfUndefined(value);
  if (typeof key !== 'string') return new Undefined(`${typeName(value)} object has no element ${repr(key, bounds)}`);
  return new Undefined(`'${typeName(value)} object' has no attribute '${key}'`);
}

/** Python's `value[start:stop:step]`; each bound may be none. */
export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  failIfUndefined(value);
  const items = typeof value === 'string' ? [...value] : sequenceItems(value);
  if (items === undefined) return fail(`'${typeName(value)}' object is not subscriptable`);
  const stride = place(step) ?? 1;
  if (stride === 0) return fail('slice step cannot be zero');
  const [first, end] = stride > 0 ? [0, items.length] : [-1, items.length - 1];
  const clamp = (index: number) => Math.min(Math.max(index < 0 ? index + items.length : index, first), end);
  const from = clampOr(start, clamp, stride > 0 ? first : end);
  const to = clampOr(stop, clamp, stride > 0 ? end : first);
  const picked: Value[] = [];
  for (let i = from; stride > 0 ? i < to : i > to; i += stride) picked.push(items[i]!);
  if (typeof value === 'string') return picked.join('');
  return isList(value) ? picked : new Tuple(picked);
}

function clampOr(index: Value, clamp: (index: number) => number, otherwise: number): number {
  const given = place(index);
  return given === undefined ? otherwise : clamp(given);
}

function place(index: Value): number | undefined {
  if (index === null) return undefined;
  if (typeof index === 'number' || typeof index === 'boolean') return Number(index);
  failIfUndefined(index);
  return fail('slice indices must be integers or None');
}
