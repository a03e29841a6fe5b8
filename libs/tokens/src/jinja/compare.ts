import type { RenderBounds } from './bounds.js';
import {
  Callable,
  fail,
  isDict,
  isList,
  numeric,
  sequenceItems,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** Python's `==`: numbers by value whatever their type, lists and dicts by content, else False across types. */
export function isEqual(left: Value, right: Value, bounds: RenderBounds): boolean {
  bounds.step();
  if (left === right) return true;
  const [leftNumber, rightNumber] = [numeric(left), numeric(right)];
  if (leftNumber !== undefined || rightNumber !== undefined) return leftNumber === rightNumber;
  if (left instanceof Undefined) return right instanceof Undefined;
  if (isDict(left) && isDict(right)) {
    if (left.size !== right.size) return false;
    return [...left].every(([key, value]) => right.has(key) && isEqual(value, right.get(key)!, bounds));
  }
  if (left instanceof Tuple !== right instanceof Tuple) return false;
  const [leftItems, rightItems] = [sequenceItems(left), sequenceItems(right)];
  if (leftItems === undefined || rightItems === undefined || leftItems.length !== rightItems.length) return false;
  return leftItems.every((item, i) => isEqual(item, rightItems[i]!, bounds));
}

/** Python's order: negative, zero or positive. @throws TemplateRuntimeError for types without one */
export function compare(left: Value, right: Value, bounds: RenderBounds, operator = '<'): number {
  bounds.step();
  const [leftNumber, rightNumber] = [numeric(left), numeric(right)];
  if (leftNumber !== undefined && rightNumber !== undefined) return leftNumber - rightNumber;
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right);
  if ((isList(left) && isList(right)) || (left instanceof Tuple && right instanceof Tuple)) {
    const [leftItems, rightItems] = [sequenceItems(left)!, sequenceItems(right)!];
    for (let i = 0; i < Math.min(leftItems.length, rightItems.length); i++) {
      if (!isEqual(leftItems[i]!, rightItems[i]!, bounds))
        return compare(leftItems[i]!, rightItems[i]!, bounds, operator);
    }
    return leftItems.length - rightItems.length;
  }
  failIfUndefined(left, right);
  return fail(`'${operator}' not supported between instances of '${typeName(left)}' and '${typeName(right)}'`);
}

/** By code points; JavaScript's order is by UTF-16 code units. */
function compareText(left: string, right: string): number {
  if (left === right) return 0;
  const [leftPoints, rightPoints] = [[...left], [...right]];
  const at = leftPoints.findIndex((point, i) => point !== rightPoints[i]);
  if (at === -1) return -1;
  return (leftPoints[at]!.codePointAt(0) ?? 0) - (rightPoints[at]?.codePointAt(0) ?? -1);
}

/** Python's `item in container`. */
export function contains(container: Value, item: Value, bounds: RenderBounds): boolean {
  if (typeof container === 'string') {
    if (typeof item === 'string') return container.includes(item);
    return fail(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (isDict(container)) {
    if (!isHashable(item)) return fail(`unhashable type: '${typeName(item)}'`);
    return container.has(item) || [...container.keys()].some((key) => isEqual(key, item, bounds));
  }
  if (container instanceof Undefined) return false;
  const items = sequenceItems(container) ?? fail(`argument of type '${typeName(container)}' is not iterable`);
  return items.some((candidate) => isEqual(candidate, item, bounds));
}

export function isHashable(value: Value): boolean {
  return !isDict(value) && !isList(value);
}

/** @throws TemplateRuntimeError with the reason of the first that is undefined, as jinja2 says it */
export function failIfUndefined(...values: readonly Value[]): void {
  for (const value of values) if (value instanceof Undefined) fail(value.reason);
}

/** The function a template wants to call. @throws TemplateRuntimeError */
export function callable(value: Value): Callable {
  failIfUndefined(value);
  return value instanceof Callable ? value : fail(`'${typeName(value)}' object is not callable`);
}
