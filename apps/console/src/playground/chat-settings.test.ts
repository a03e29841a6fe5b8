import { expect, it } from 'vitest';
import { MAX_TOKENS, readNumber, TEMPERATURE } from './chat-settings.js';

it.each([
  ['', TEMPERATURE, undefined],
  [' ', MAX_TOKENS, undefined],
  ['0', TEMPERATURE, 0],
  ['0.7', TEMPERATURE, 0.7],
  ['12', MAX_TOKENS, 12],
])('given %o in a field, then it is read', (text, field, value) => {
  expect(readNumber(text, field)).toBe(value);
});

it.each([
  ['-1', TEMPERATURE],
  ['2.1', TEMPERATURE],
  ['warm', TEMPERATURE],
  ['Infinity', TEMPERATURE],
  ['0', MAX_TOKENS],
  ['1.5', MAX_TOKENS],
])('given %o in a field, then it is told what may stand there', (text, field) => {
  expect(readNumber(text, field)).toMatchObject({ wrong: expect.stringContaining(String(field.max)) });
});
