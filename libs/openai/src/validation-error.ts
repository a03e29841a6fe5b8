import type { ErrorObject } from 'ajv';
import { ApiError, shortened } from './errors.js';

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  integer: 'an integer',
  boolean: 'a boolean',
  array: 'an array',
  object: 'an object',
};

/** The validator's first finding as one sentence that names the parameter. `body` is what was validated. */
export function toValidationError(error: ErrorObject | undefined, body: unknown): ApiError {
  if (error === undefined) return new ApiError('invalid_value', 'The request is invalid.');
  const path = pathOf(error.instancePath);
  const param = toParam(path);
  const value = valueAt(body, path);
  if (error.keyword === 'required')
    return missingParameter(toParam([...path, String(error.params['missingProperty'])]));
  if (error.keyword === 'type') return typeError(path, error.params['type'] as string | string[], value); // by ajv's keyword
  return invalidValue(param, `${expectation(error)}${gotInstead(error, value)}`);
}

export function missingParameter(param: string): ApiError {
  return new ApiError('missing_required_parameter', `Missing required parameter: '${param}'.`, { param });
}

export function invalidValue(param: string, expectation: string): ApiError {
  return new ApiError('invalid_value', `Invalid '${param}': ${expectation}.`, { param });
}

/** @param detail  what is neutral or to be done instead, as a sentence; may be empty */
export function unsupportedParameter(param: string, detail: string): ApiError {
  return new ApiError('unsupported_parameter', `Unsupported parameter: '${param}'.${detail ? ` ${detail}` : ''}`, {
    param,
  });
}

function typeError(path: readonly string[], types: string | readonly string[], value: unknown): ApiError {
  const expected = [types].flat();
  const param = toParam(path);
  const isEntry = /^\d+$/.test(path.at(-1) ?? ''); // of a list, where null stands for nothing
  if (value === null && !isEntry) return missingParameter(param);
  const words = expected.filter((type) => type !== 'null').map((type) => TYPE_WORDS[type] ?? type);
  const alternatives = words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  const message = `Invalid type for '${param}': expected ${alternatives}, but got ${described(value)} instead.`;
  return new ApiError('invalid_type', message, { param });
}

function expectation({ keyword, params, propertyName }: ErrorObject): string {
  const limit: unknown = params['limit'];
  switch (keyword) {
    case 'minimum':
      return `expected a value >= ${limit}`;
    case 'maximum':
      return `expected a value <= ${limit}`;
    case 'exclusiveMinimum':
      return `expected a value > ${limit}`;
    case 'exclusiveMaximum':
      return `expected a value < ${limit}`;
    case 'minLength':
      return limit === 1 ? 'expected a string that is not empty' : `expected at least ${limit} characters`;
    case 'maxLength':
      return `expected at most ${limit} characters`;
    case 'minItems':
      return limit === 1 ? 'expected an array that is not empty' : `expected at least ${limit} items`;
    case 'maxItems':
      return `expected at most ${limit} items`;
    case 'maxProperties':
      return `expected at most ${limit} entries`;
    case 'enum':
      return `expected one of ${allowedValues(params['allowedValues'])}`;
    case 'pattern':
      return propertyName === undefined
        ? 'the value has the wrong form'
        : `expected token ids as keys, but got '${shortened(propertyName).toWellFormed()}'`;
    default:
      return `it fails the rule '${keyword}'`;
  }
}

function gotInstead({ keyword, params, propertyName }: ErrorObject, value: unknown): string {
  if (propertyName !== undefined) return '';
  if (/^min(Length|Items)$/.test(keyword) && params['limit'] === 1) return ''; // it says that it is empty
  if (keyword.endsWith('Items') && Array.isArray(value)) return `, but got ${value.length}`;
  if (typeof value === 'string') {
    if (keyword.endsWith('Length')) return `, but got ${value.length}`;
    return `, but got '${shortened(value).toWellFormed()}'`;
  }
  return typeof value === 'number' ? `, but got ${value}` : '';
}

function allowedValues(values: unknown): string {
  const list: readonly unknown[] = Array.isArray(values) ? values : [];
  return list
    .filter((value) => value !== null)
    .map((value) => `'${value}'`)
    .join(', ');
}

function described(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'number') return TYPE_WORDS[typeof value] ?? typeof value;
  if (Number.isNaN(value)) return 'NaN'; // JSON has none; gRPC does
  if (!Number.isFinite(value)) return 'a number that is too large';
  return Number.isInteger(value) ? `the number ${value}` : `the decimal ${value}`;
}

/** `['messages', '2', 'content']` → `messages[2].content`. */
function toParam(path: readonly string[]): string {
  return path
    .map((segment, index) => (/^\d+$/.test(segment) ? `[${segment}]` : `${index === 0 ? '' : '.'}${segment}`))
    .join('');
}

/** Segments of a JSON pointer (RFC 6901). */
function pathOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function valueAt(body: unknown, path: readonly string[]): unknown {
  let value = body;
  for (const segment of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[segment]; // any key of an object may be asked for
  }
  return value;
}
