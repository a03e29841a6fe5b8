/** What a template computes with: the values of Python that chat templates meet. An integer is a `number`. */
export type Value =
  | null
  | boolean
  | number
  | string
  | readonly Value[]
  | Float
  | Tuple
  | Dict
  | Attributes
  | Callable
  | Undefined;

/** A Python `float`: 1.0 prints otherwise than 1. */
export class Float {
  constructor(readonly value: number) {}
}

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** Keys are strings, integers, booleans or none, as JSON and templates have them. */
export type Dict = ReadonlyMap<Value, Value>;

/** An object of attributes: a `namespace`, which templates may write to, `loop`, or a `cycler`. */
export class Attributes {
  constructor(
    readonly kind: 'namespace' | 'loop' | 'cycler',
    readonly entries: Map<string, Value>,
  ) {}
}

/** Named arguments of a call by name. */
export type Keywords = ReadonlyMap<string, Value>;

export class Callable {
  constructor(
    readonly name: string,
    readonly call: (positional: readonly Value[], keywords: Keywords) => Value,
  ) {}
}

/** What a name without value gives: empty where it is printed or looped over, an error where it is used. */
export class Undefined {
  constructor(readonly reason: string) {}
}

/** What Python would raise as TypeError, ValueError or jinja2's UndefinedError. */
export class TemplateRuntimeError extends Error {
  override readonly name = 'TemplateRuntimeError';
}

/** @throws TemplateRuntimeError, for use where an expression stands */
export function fail(message: string): never {
  throw new TemplateRuntimeError(message);
}

/** The value, else the other where there is none; unlike `??`, none (null) is a value. */
export function orElse<Other>(value: Value | undefined, otherwise: () => Other): Value | Other {
  return value === undefined ? otherwise() : value;
}

/** Python's name of the type. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return 'int';
  if (typeof value === 'string') return 'str';
  if (value instanceof Float) return 'float';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Map) return 'dict';
  if (value instanceof Callable) return 'function';
  if (value instanceof Undefined) return 'Undefined';
  return value instanceof Attributes ? value.kind : 'list';
}

export function isDict(value: Value): value is Dict {
  return value instanceof Map;
}

/** Whether it is a list, and no tuple. */
export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** The items of a list or tuple. */
export function sequenceItems(value: Value): readonly Value[] | undefined {
  if (value instanceof Tuple) return value.items;
  return isList(value) ? value : undefined;
}

/** The number an int, float or bool stands for. */
export function numeric(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value instanceof Float ? value.value : undefined;
}

export function isTrue(value: Value): boolean {
  if (value === null || value === '' || value instanceof Undefined) return false;
  if (isDict(value)) return value.size > 0;
  const items = sequenceItems(value);
  if (items !== undefined) return items.length > 0;
  return numeric(value) !== 0;
}

/** What a loop runs over: items, keys of a dict, characters of a text; nothing of what is undefined. */
export function iterate(value: Value): readonly Value[] {
  const items = sequenceItems(value);
  if (items !== undefined) return items;
  if (typeof value === 'string') return [...value];
  if (isDict(value)) return [...value.keys()];
  if (value instanceof Undefined) return [];
  return fail(`'${typeName(value)}' object is not iterable`);
}

export function lengthOf(value: Value): number {
  if (isDict(value)) return value.size;
  if (sequenceItems(value) === undefined && typeof value !== 'string' && !(value instanceof Undefined)) {
    return fail(`object of type '${typeName(value)}' has no len()`);
  }
  return iterate(value).length;
}

/** A value of JSON, or of a request, as the template sees it. */
export function toValue(input: unknown): Value {
  switch (typeof input) {
    case 'string':
    case 'boolean':
      return input;
    case 'number':
      return Number.isInteger(input) ? input : new Float(input);
    case 'undefined':
      return new Undefined('a value of the request is undefined');
    case 'object':
      if (input === null) return null;
      if (Array.isArray(input)) return input.map(toValue);
      return new Map(Object.entries(input).map(([name, value]) => [name, toValue(value)]));
    default:
      return fail(`a ${typeof input} is no value of a template`);
  }
}
