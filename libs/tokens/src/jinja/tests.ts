import type { Arguments } from './arguments.js';
import { contains, failIfUndefined, isEqual } from './compare.js';
import type { FilterContext } from './filter.js';
import { compares } from './operators.js';
import { print } from './print.js';
import {
  Attributes,
  Callable,
  Float,
  fail,
  isDict,
  isList,
  numeric,
  sequenceItems,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** One test of jinja2: what stands behind `is`. */
export type Test = (value: Value, given: Arguments, context: FilterContext) => boolean;

const comparison =
  (operator: string): Test =>
  (value, given, { bounds }) =>
    compares(operator, value, given.required(0, 'other'), bounds);

const [equal, unequal, less, lessOrEqual, greater, greaterOrEqual] = ['==', '!=', '<', '<=', '>', '>='].map(comparison);

/** The tests of jinja2 that chat templates may use. */
export const tests: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['defined', (value) => !(value instanceof Undefined)],
  ['undefined', (value) => value instanceof Undefined],
  ['none', (value) => value === null],
  ['boolean', (value) => typeof value === 'boolean'],
  ['true', (value) => value === true],
  ['false', (value) => value === false],
  ['integer', (value) => typeof value === 'number'],
  ['float', (value) => value instanceof Float],
  ['number', (value) => numeric(value) !== undefined],
  ['string', (value) => typeof value === 'string'],
  ['mapping', isDict],
  ['sequence', (value) => isDict(value) || isIterable(value)],
  ['iterable', (value) => isDict(value) || isIterable(value)],
  // What is undefined fails when it is called, but can be called in Python's sense.
  ['callable', (value) => value instanceof Callable || value instanceof Undefined],
  ['odd', (value) => remainder(value, 2) === 1],
  ['even', (value) => remainder(value, 2) === 0],
  ['divisibleby', (value, given) => remainder(value, given.integer(0, 'num', 1)) === 0],
  ['lower', (value, _given, { bounds }) => isCase(print(value, bounds), 'toLowerCase')],
  ['upper', (value, _given, { bounds }) => isCase(print(value, bounds), 'toUpperCase')],
  ['in', (value, given, { bounds }) => contains(given.required(0, 'seq'), value, bounds)],
  ['sameas', (value, given, { bounds }) => isSame(value, given.required(0, 'other'), bounds)],
  ['==', equal!],
  ['eq', equal!],
  ['equalto', equal!],
  ['!=', unequal!],
  ['ne', unequal!],
  ['<', less!],
  ['lt', less!],
  ['lessthan', less!],
  ['<=', lessOrEqual!],
  ['le', lessOrEqual!],
  ['>', greater!],
  ['gt', greater!],
  ['greaterthan', greater!],
  ['>=', greaterOrEqual!],
  ['ge', greaterOrEqual!],
]);

function isIterable(value: Value): boolean {
  return typeof value === 'string' || sequenceItems(value) !== undefined || value instanceof Undefined;
}

function remainder(value: Value, by: number): number {
  failIfUndefined(value);
  if (by === 0) return fail('division by zero');
  const number = numeric(value) ?? fail(`unsupported operand type(s) for %: '${typeName(value)}' and 'int'`);
  return number - by * Math.floor(number / by);
}

function isCase(text: string, method: 'toLowerCase' | 'toUpperCase'): boolean {
  return text === text[method]() && text.toLowerCase() !== text.toUpperCase();
}

function isSame(left: Value, right: Value, bounds: FilterContext['bounds']): boolean {
  const isObject = isDict(left) || isList(left) || left instanceof Attributes;
  return left === right || (!isObject && typeName(left) === typeName(right) && isEqual(left, right, bounds));
}
