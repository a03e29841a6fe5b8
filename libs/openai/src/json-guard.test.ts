import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApiError } from './errors.js';
import { parseJsonBody } from './json-guard.js';

const bytes = (text: string) => new TextEncoder().encode(text);

function conditionOf(body: Uint8Array, maxDepth = 64): string {
  try {
    parseJsonBody(body, maxDepth);
    return 'accepted';
  } catch (error) {
    if (error instanceof ApiError) return error.condition;
    throw error;
  }
}

describe('parseJsonBody', () => {
  it.each([
    ['nothing', 'invalid_json', new Uint8Array()],
    ['half an object', 'invalid_json', bytes('{"model": "m"')],
    ['an open string', 'invalid_json', bytes('{"model": "m')],
    ['a string that ends in a backslash', 'invalid_json', bytes('{"model": "m\\')],
    ['an array', 'invalid_json', bytes('[1]')],
    ['null', 'invalid_json', bytes('null')],
    ['a number', 'invalid_json', bytes('1')],
    ['NaN', 'invalid_json', bytes('{"temperature": NaN}')],
    ['a byte that is not UTF-8', 'invalid_json', Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['a cut UTF-8 sequence', 'invalid_json', Uint8Array.from([...bytes('{"a":"'), 0xe2, 0x82, ...bytes('"}')])],
    ['an encoded surrogate', 'invalid_json', Uint8Array.from([...bytes('{"a":"'), 0xed, 0xa0, 0x80, ...bytes('"}')])],
    ['100,000 nested arrays', 'too_deep', bytes(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)],
    ['300,000 small arrays', 'too_deep', bytes(`{"a":[${Array(300_000).fill('[]').join()}]}`)],
    ['100,000 open arrays', 'too_deep', bytes('['.repeat(100_000))],
    ['100,000 nested objects', 'too_deep', bytes('{"a":'.repeat(100_000))],
    ['4 MiB of brackets', 'too_deep', new Uint8Array(4 * 1024 * 1024).fill(0x5b)],
    ['brackets in a string', 'accepted', bytes(`{"a":"${'['.repeat(1_000)}\\"${'{'.repeat(1_000)}"}`)],
    ['many arrays side by side', 'accepted', bytes(`{"a":[${'[],'.repeat(10_000)}[]]}`)],
    ['a byte order mark', 'accepted', bytes('\ufeff{"a":"é"}')],
  ])('given %s, then %s', (_, condition, body) => {
    expect(conditionOf(body)).toBe(condition);
  });

  it('given exactly the depth allowed, then it is accepted, and one level more is not', () => {
    expect(conditionOf(bytes('{"a":[[1]]}'), 3)).toBe('accepted');
    expect(conditionOf(bytes('{"a":[[[1]]]}'), 3)).toBe('too_deep');
  });

  it('given a __proto__ key, then no prototype changes', () => {
    const body = parseJsonBody(bytes('{"__proto__": {"polluted": true}}'), 64);
    expect(Object.getPrototypeOf(body)).toBe(Object.prototype);
    expect('polluted' in {}).toBe(false);
  });

  it.each([
    ['{"secret": tru}', 'The request body is not valid JSON.'],
    ['{"secret": 1 2}', 'The request body is not valid JSON (at position 13).'],
  ])('given %s, then the message does not repeat it', (body, message) => {
    expect(() => parseJsonBody(bytes(body), 64)).toThrow(new ApiError('invalid_json', message));
  });

  it('given any object, then it is read as JSON.parse reads it', () =>
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4 })), (object) => {
        expect(parseJsonBody(bytes(JSON.stringify(object)), 64)).toEqual(JSON.parse(JSON.stringify(object)));
      }),
    ));

  it('given any bytes, then it parses or throws an ApiError', () =>
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), fc.string().map(bytes)), (body) => {
        conditionOf(body);
      }),
    ));
});
