import type { RenderBounds } from './bounds.js';
import { compare, contains, failIfUndefined, isEqual } from './compare.js';
import { formatPercent } from './percent-format.js';
import { print } from './print.js';
import { Float, fail, isList, numeric, Tuple, typeName, type Value } from './values.js';

export function isComparison(operator: string): boolean {
  return ['==', '!=', '<', '<=', '>', '>=', 'in', 'not in'].includes(operator);
}

export function compares(operator: string, left: Value, right: Value, bounds: RenderBounds): boolean {
  switch (operator) {
    case '==':
      return isEqual(left, right, bounds);
    case '!=':
      return !isEqual(left, right, bounds);
    case 'in':
      return contains(right, left, bounds);
    case 'not in':
      return !contains(right, left, bounds);
    case '<':
      return compare(left, right, bounds, operator) < 0;
    case '<=':
      return compare(left, right, bounds, operator) <= 0;
    case '>':
      return compare(left, right, bounds, operator) > 0;
    default:
      return compare(left, right, bounds, operator) >= 0;
  }
}

/** Arithmetic and joining, with Python's rules of types. @throws TemplateRuntimeError for types that do not go together */
export function calculate(operator: string, left: Value, right: Value, bounds: RenderBounds): Value {
  if (operator === '~') return checked(print(left, bounds) + print(right, bounds), bounds);
  failIfUndefined(left, right);
  if (operator === '%' && typeof left === 'string') return formatPercent(left, right, bounds);
  if (operator === '+') {
    const sum = concatenate(left, right, bounds);
    if (sum !== undefined) return sum;
  }
  if (operator === '*') {
    const product = repeat(left, right, bounds) ?? repeat(right, left, bounds);
    if (product !== undefined) return product;
  }
  const [a, b] = [numeric(left), numeric(right)];
  if (a === undefined || b === undefined) return unsupported(operator, left, right);
  const result = arithmetic(operator, a, b);
  const isFloat = left instanceof Float || right instanceof Float || operator === '/' || (operator === '**' && b < 0);
  return isFloat ? new Float(result) : result;
}

function concatenate(left: Value, right: Value, bounds: RenderBounds): Value | undefined {
  if (typeof left === 'string') {
    if (typeof right === 'string') return checked(left + right, bounds);
    return fail(`can only concatenate str (not "${typeName(right)}") to str`);
  }
  if (isList(left) && isList(right)) {
    bounds.items(left.length + right.length);
    return [...left, ...right];
  }
  if (left instanceof Tuple && right instanceof Tuple) {
    bounds.items(left.items.length + right.items.length);
    return new Tuple([...left.items, ...right.items]);
  }
  return undefined;
}

function repeat(repeated: Value, times: Value, bounds: RenderBounds): Value | undefined {
  if (typeof times !== 'number' && typeof times !== 'boolean') return undefined;
  const count = Math.max(0, Number(times));
  if (typeof repeated === 'string') {
    bounds.characters(repeated.length * count);
    return repeated.repeat(count);
  }
  if (!isList(repeated)) return undefined;
  bounds.items(repeated.length * count);
  return Array.from({ length: count }, () => repeated).flat();
}

function arithmetic(operator: string, left: number, right: number): number {
  if (['/', '//', '%'].includes(operator) && right === 0) return fail('division by zero');
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '//':
      return Math.floor(left / right);
    case '%':
      // The sign is the divisor's, as in Python.
      return left - right * Math.floor(left / right);
    case '**':
      return left ** right;
    default:
      return fail(`unknown operator ${operator}`);
  }
}

export function negate(value: Value, operator: string): Value {
  failIfUndefined(value);
  const number = numeric(value) ?? fail(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  const result = operator === '-' ? -number : number;
  return value instanceof Float ? new Float(result) : result + 0;
}

function unsupported(operator: string, left: Value, right: Value): never {
  return fail(`unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`);
}

function checked(text: string, bounds: RenderBounds): string {
  bounds.characters(text.length);
  return text;
}
